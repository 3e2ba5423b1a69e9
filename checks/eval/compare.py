"""Differences as sentences."""

from collections.abc import Iterator


def same(what: str, found, expected) -> Iterator[str]:
    """A sentence when the two differ."""
    if found != expected:
        yield f"{what} is {found!r}, not {expected!r}"


def items(what: str, found: dict, expected: dict) -> Iterator[str]:
    """A sentence for each expected item that `found` lacks or has otherwise."""
    for name, value in expected.items():
        if name in found:
            yield from same(f"{what}.{name}", found[name], value)
        else:
            yield f"{what} lacks {name}"
