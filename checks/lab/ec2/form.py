"""The parameters of EC2's Query protocol: one flat form, lists by number.

`Filter.1.Value.2=x` is the second value of the first filter.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from checks.lab.ec2.refusal import Refusal, invalid

# They say how a request is made, not what it asks for.
ENVELOPE = {"Action", "Version", "ClientToken", "DryRun"}


class Form:
    """The parameters of one request."""

    def __init__(self, flat: Mapping[str, str]) -> None:
        self.flat = dict(flat)

    @classmethod
    def parse(cls, body: bytes) -> "Form":
        return cls(dict(parse_qsl(body.decode(), keep_blank_values=True)))

    def encode(self) -> bytes:
        return urlencode(self.flat).encode()

    def get(self, name: str) -> str | None:
        return self.flat.get(name)

    def require(self, name: str) -> str:
        value = self.flat.get(name)
        if not value:
            shown = name[0].lower() + name[1:]
            raise Refusal("MissingParameter", f"The request must contain the parameter {shown}")
        return value

    def flag(self, name: str) -> bool:
        return self.flat.get(name, "").lower() == "true"

    def number(self, name: str) -> int | None:
        value = self.flat.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"\d+", value):
            raise invalid(f"Invalid integer value: {value}")
        return int(value)

    def values(self, name: str) -> list[str]:
        """A list of plain values: `InstanceId.1`, `InstanceId.2`…"""
        return [item[""] for item in self.items(name) if "" in item]

    def items(self, name: str) -> list[dict[str, str]]:
        """A list of structures, each a form of its own (`""` is a plain value)."""
        found: dict[int, dict[str, str]] = {}
        for key, value in self.flat.items():
            match = re.fullmatch(rf"{re.escape(name)}\.(\d+)(?:\.(.+))?", key)
            if match:
                found.setdefault(int(match[1]), {})[match[2] or ""] = value
        return [found[number] for number in sorted(found)]

    def has(self, name: str) -> bool:
        """Whether there is a parameter of this name, plain or composed."""
        return any(key == name or key.startswith(f"{name}.") for key in self.flat)

    def without(self, name: str) -> "Form":
        kept = {k: v for k, v in self.flat.items() if k != name and not k.startswith(f"{name}.")}
        return Form(kept)

    def with_(self, added: Mapping[str, str]) -> "Form":
        return Form({**self.flat, **added})

    def asks_for(self) -> dict[str, str]:
        """What must be equal in a request that is sent again."""
        return {key: value for key, value in self.flat.items() if key not in ENVELOPE}

    def filters(self) -> dict[str, list[str]]:
        items = self.items("Filter")
        return {item.get("Name", ""): Form(item).values("Value") for item in items}

    def tags(self, resource: str) -> dict[str, str]:
        """The tags that a creating request gives to one kind of resource."""
        tags: dict[str, str] = {}
        for item in self.items("TagSpecification"):
            if item.get("ResourceType") == resource:
                tags |= {tag["Key"]: tag.get("Value", "") for tag in Form(item).items("Tag")}
        return tags
