"""Policies of identities, and what they say to a request."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from checks.lab.ec2.iam.asked import ANYTHING, Asked
from checks.lab.ec2.iam.conditions import Condition, Context, MalformedPolicy, is_arn_like, is_like

VERSION = "2012-10-17"
# Characters of a managed policy, without white space.
LONGEST = 6144
ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
SERVICE = "ec2"


@dataclass(frozen=True)
class Statement:
    """One statement. With `Not…`, the lists say what it is not about."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    not_actions: bool = False
    not_resources: bool = False

    def names_action(self, asked: Asked) -> bool:
        named = any(acts(written, asked.action) for written in self.actions)
        return named != self.not_actions

    def names_resource(self, asked: Asked) -> bool:
        named = any(covers(written, asked.resource) for written in self.resources)
        return named != self.not_resources

    def holds(self, context: Context) -> bool:
        return all(condition.holds(context) for condition in self.conditions)

    def is_about(self, asked: Asked) -> bool:
        return self.names_action(asked) and self.names_resource(asked) and self.holds(asked.folded())


@dataclass(frozen=True)
class Policy:
    statements: tuple[Statement, ...]

    @classmethod
    def parse(cls, text: str) -> "Policy":
        """Reads a document; what AWS would not accept is an error here."""
        document = json.loads(text)
        if not isinstance(document, dict) or set(document) - {"Version", "Id", "Statement"}:
            raise MalformedPolicy("a policy has Version, Id and Statement")
        if document.get("Version") != VERSION:
            raise MalformedPolicy(f"the lab reads policies of version {VERSION} only")
        if len(re.sub(r"\s", "", text)) > LONGEST:
            raise MalformedPolicy(f"a policy has at most {LONGEST} characters without white space")
        statements = tuple(
            statement(number, each) for number, each in enumerate(listed(document.get("Statement")))
        )
        sids = [each.sid for each in statements]
        if len(set(sids)) != len(sids):
            raise MalformedPolicy("a Sid is used once in a policy")
        return cls(statements)

    def without(self, sid: str) -> "Policy":
        return Policy(tuple(each for each in self.statements if each.sid != sid))


@dataclass(frozen=True)
class Decision:
    """Whether it is allowed; if not, whether a statement forbids it or none allows it."""

    allowed: bool
    forbidden: bool = False


def decide(policies: Iterable[Policy], asked: Asked) -> Decision:
    found = [each for policy in policies for each in policy.statements if each.is_about(asked)]
    forbidden = any(not each.allows for each in found)
    return Decision(bool(found) and not forbidden, forbidden)


def statement(number: int, written: Any) -> Statement:
    if not isinstance(written, dict) or set(written) - ELEMENTS:
        raise MalformedPolicy(f"statement {number} has elements that a policy of an identity has not")
    sid = written.get("Sid", f"#{number}")
    if "Sid" in written and not re.fullmatch(r"[A-Za-z0-9]+", sid):
        raise MalformedPolicy(f"a Sid has letters and digits only: {sid!r}")
    if written.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy(f"{sid}: the Effect is Allow or Deny")
    actions, not_actions = one_of(sid, written, "Action")
    resources, not_resources = one_of(sid, written, "Resource")
    for each in actions:
        if not re.fullmatch(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+", each):
            raise MalformedPolicy(f"{sid}: {each!r} is not an action")
    for each in resources:
        if each != ANYTHING and len(each.split(":", 5)) != 6:
            raise MalformedPolicy(f"{sid}: {each!r} is neither an ARN nor *")
        plain(sid, each)
    conditions = tuple(
        Condition.parse(operator, key, tuple(plain(sid, spelt(value)) for value in listed(values)))
        for operator, keys in written.get("Condition", {}).items()
        for key, values in keys.items()
    )
    allows = written["Effect"] == "Allow"
    return Statement(sid, allows, actions, resources, conditions, not_actions, not_resources)


def one_of(sid: str, written: dict[str, Any], name: str) -> tuple[tuple[str, ...], bool]:
    """An element or its opposite, and which of them it is."""
    found = [key for key in (name, f"Not{name}") if key in written]
    if len(found) != 1 or not listed(written[found[0]]):
        raise MalformedPolicy(f"{sid}: there must be one of {name} and Not{name}, with a value")
    return tuple(listed(written[found[0]])), found[0] != name


def listed(value: Any) -> list[Any]:
    if value is None:
        raise MalformedPolicy("an element has no value")
    return value if isinstance(value, list) else [value]


def spelt(value: Any) -> str:
    """JSON's true and 1 are the same as the texts."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def plain(sid: str, text: str) -> str:
    if "${" in text:
        raise MalformedPolicy(f"{sid}: the lab does not fill in policy variables: {text!r}")
    return text


def acts(written: str, action: str) -> bool:
    return written == ANYTHING or is_like(f"{SERVICE}:{action}".lower(), written.lower())


def covers(written: str, resource: str) -> bool:
    """What an action on no resource in particular is asked about, only `*` covers."""
    return written == ANYTHING or (resource != ANYTHING and is_arn_like(resource, written))
