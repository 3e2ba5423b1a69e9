"""A record of every call that reached the API."""

import hashlib
from collections import Counter
from dataclasses import InitVar, dataclass, field

from checks.lab.ec2.form import Form

SECRET = ("LaunchTemplateData.UserData", "UserData", "UserData.Value")


@dataclass
class Call:
    """One request and how it ended: `ok`, an error's code, or `lost`."""

    time: float
    form: InitVar[Form]
    action: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    outcome: str = "ok"

    def __post_init__(self, form: Form) -> None:
        self.action = form.get("Action") or ""
        self.parameters = without_secrets(form)

    def asks_for(self) -> dict[str, str]:
        """As `Form.asks_for`."""
        return Form(self.parameters).asks_for()


@dataclass
class Calls:
    """The calls in their order. `len(ec2.calls)` before a step marks where it begins."""

    made: list[Call] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.made)

    def note(self, time: float, form: Form) -> Call:
        call = Call(time, form)
        self.made.append(call)
        return call

    def count(self, action: str | None = None, *, since: int = 0) -> int:
        """How many calls there were, of one action or of all."""
        return sum(action in (None, call.action) for call in self.made[since:])

    def steps(self, *, since: int = 0) -> list[str]:
        """The actions, without calls that only repeat the one before, as `faults.Step` counts."""
        asked = [(call.action, call.asks_for()) for call in self.made[since:]]
        pairs = zip(asked, [None, *asked], strict=False)
        return [call[0] for call, before in pairs if call != before]

    def by_action(self, *, since: int = 0) -> Counter[str]:
        return Counter(call.action for call in self.made[since:])


def without_secrets(form: Form) -> dict[str, str]:
    """User data holds a host's private key, so only its digest is kept."""
    kept = {key: value for key, value in form.flat.items() if key not in ("Action", "Version")}
    for name in SECRET:
        if name in kept:
            kept[name] = f"sha256:{hashlib.sha256(kept[name].encode()).hexdigest()}"
    return kept
