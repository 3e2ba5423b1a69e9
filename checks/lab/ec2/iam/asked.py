"""What AWS asks of an account's policies before it does a call."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

ANYTHING = "*"


@dataclass(frozen=True)
class Asked:
    """May this caller do this to this resource? A call asks for each of its resources."""

    caller: str
    action: str
    resource: str
    # What the conditions of a policy see, and nothing else: every key has a list of values.
    context: Mapping[str, list[str]]

    def folded(self) -> dict[str, list[str]]:
        """The context as conditions look at it."""
        return {key.lower(): values for key, values in self.context.items()}


def dump(requests: Iterable[Asked]) -> str:
    """Requests as JSON, each once, in the order in which they came first."""
    written = dict.fromkeys(json.dumps(asdict(each), sort_keys=True) for each in requests)
    return "[\n" + ",\n".join(written) + "\n]\n"


def load(text: str) -> list[Asked]:
    return [Asked(**each) for each in json.loads(text)]
