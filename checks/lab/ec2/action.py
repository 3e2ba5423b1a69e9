"""The table of actions: adding one is adding a file to actions/."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from checks.lab.ec2 import moto_api
from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region


@dataclass
class Request:
    """One call, on its way."""

    region: Region
    form: Form
    environ: dict[str, Any]

    @property
    def action(self) -> str:
        return self.form.require("Action")

    def end_dry_run(self) -> None:
        """A dry run ends once it is known that the call would succeed."""
        if self.form.flag("DryRun"):
            message = "Request would have succeeded, but DryRun flag is set."
            raise Refusal("DryRunOperation", message)

    def forward(self, form: Form | None = None) -> bytes:
        """Has moto do it, perhaps with a corrected form."""
        account = self.region.context.account
        return moto_api.call(self.environ, account, form or self.form)

    def render(self, result: Any) -> bytes:
        return moto_api.render(self.action, result)


Handler = Callable[[Request], bytes]
TABLE: dict[str, Handler] = {}


def action(*names: str) -> Callable[[Handler], Handler]:
    """Marks the function that answers to these actions."""

    def enter(handler: Handler) -> Handler:
        TABLE.update(dict.fromkeys(names, handler))
        return handler

    return enter


def load() -> None:
    """Reads the folder; there is no list to forget an entry in."""
    package = importlib.import_module("checks.lab.ec2.actions")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def find(name: str) -> Handler:
    """moto says yes to much that EC2 refuses, so nothing passes here unexamined."""
    handler = TABLE.get(name)
    if handler is None:
        message = f"The action {name} is not valid for this web service (the lab's EC2 does not have it)."
        raise Refusal("InvalidAction", message)
    return handler
