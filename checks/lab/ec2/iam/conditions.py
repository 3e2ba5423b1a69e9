"""The operators of conditions, and how IAM compares with them.

Of several conditions all must hold; of several values of one key, any. A key
that the request has not makes a condition fail, unless its operator denies.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Compare = Callable[[str, str], bool]
Context = Mapping[str, Sequence[str]]
# Keys with a list of values; the question is meaningless without ForAllValues or ForAnyValue.
SEVERAL = {"aws:tagkeys"}
SETS = ("ForAllValues", "ForAnyValue")
IF_EXISTS = "IfExists"


class MalformedPolicy(ValueError):
    """A policy that AWS would refuse, or that the lab cannot judge."""


@lru_cache(maxsize=4096)
def pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile("".join(parts), re.DOTALL)


def is_like(value: str, wanted: str) -> bool:
    return pattern(wanted).fullmatch(value) is not None


def is_arn_like(value: str, wanted: str) -> bool:
    """Each of the six parts of an ARN by itself."""
    parts, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(parts) == len(patterns) and all(map(is_like, parts, patterns))


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise MalformedPolicy(f"{text!r} is not a number") from None


def numeric(compare: Callable[[float, float], bool]) -> Compare:
    return lambda value, wanted: compare(number(value), number(wanted))


def is_same(value: str, wanted: str) -> bool:
    return value == wanted


def is_same_bool(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


OPERATORS: dict[str, Compare] = {
    "StringEquals": is_same,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": is_like,
    "ArnEquals": is_arn_like,
    "ArnLike": is_arn_like,
    "Bool": is_same_bool,
    "NumericEquals": numeric(lambda value, wanted: value == wanted),
    "NumericLessThan": numeric(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": numeric(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": numeric(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": numeric(lambda value, wanted: value >= wanted),
}
# They deny what another operator says, of all values, and hold for a key that is not there.
DENYING = {
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}
NULL = "Null"


@dataclass(frozen=True)
class Condition:
    """One key of one operator."""

    operator: str
    key: str
    wanted: tuple[str, ...]
    of_set: str = ""
    if_exists: bool = False

    @classmethod
    def parse(cls, written: str, key: str, wanted: tuple[str, ...]) -> "Condition":
        of_set, _, operator = written.rpartition(":")
        if_exists = operator.endswith(IF_EXISTS)
        operator = operator.removesuffix(IF_EXISTS)
        if operator not in {*OPERATORS, *DENYING, NULL} or of_set not in ("", *SETS):
            raise MalformedPolicy(f"the lab knows no operator {written!r}")
        if operator == NULL and (of_set or if_exists):
            raise MalformedPolicy(f"there is no {written!r}")
        if key.lower() in SEVERAL and not of_set and operator != NULL:
            raise MalformedPolicy(f"{key} has several values: {written} needs ForAllValues or ForAnyValue")
        if operator in ("Bool", NULL) and not {value.lower() for value in wanted} <= {"true", "false"}:
            raise MalformedPolicy(f"{written} of {key} is neither true nor false: {wanted}")
        if operator.startswith("Numeric"):
            for value in wanted:
                number(value)
        return cls(operator, key.lower(), wanted, of_set, if_exists)

    def holds(self, context: Context) -> bool:
        """The context's keys are in lower case: IAM does not mind theirs."""
        values = context.get(self.key)
        if self.operator == NULL:
            return any((values is None) == (wanted.lower() == "true") for wanted in self.wanted)
        if values is None:
            return self.if_exists or self.of_set == "ForAllValues" or (self._denies and not self.of_set)
        held = [self._of_one(value) for value in values]
        return any(held) if self.of_set == "ForAnyValue" else all(held)

    @property
    def _denies(self) -> bool:
        return self.operator in DENYING

    def _of_one(self, value: str) -> bool:
        compare = OPERATORS[DENYING.get(self.operator, self.operator)]
        return self._denies != any(compare(value, wanted) for wanted in self.wanted)
