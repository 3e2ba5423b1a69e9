"""hosts/<h>/home.nix has the blocks of ssh_config, in every shape that home-manager has had."""

from collections.abc import Iterator
from pathlib import Path

from compare import same
from examples import Example
from host import wrapper
from nix import evaluate

# Warnings that a user who enables programs.ssh has without Dormouse too.
USERS_OWN = "enableDefaultConfig"


def problems(
    example: Example, nixpkgs: Path | None = None, home_manager: Path | None = None
) -> Iterator[str]:
    """What differs between a host's home.nix and its ssh_config."""
    for host in list(example.spec["hosts"])[: 1 if home_manager else None]:
        expected = blocks((example.generated / "hosts" / host / "ssh_config").read_text())
        arguments = {"nixpkgs": nixpkgs, "homeManager": home_manager}
        found = evaluate("home.nix", generated=example.generated, host=host, **arguments)
        defaults = {"DORMOUSE_SPEC": "<generated>/spec.json", "DORMOUSE_GENERATED": "<generated>"}
        defaults["DORMOUSE_HOST"] = host
        for shape in ("settings", "matchBlocks"):
            yield from wrapper(found[shape]["wrapper"], defaults)
        for problem in compare(expected, found):
            yield f"{example.name}: host {host}: home.nix: {problem}"


def compare(expected: dict, found: dict) -> Iterator[str]:
    """What differs in each shape."""
    for shape in ("settings", "matchBlocks"):
        yield from same(f"{shape}: failed assertions", found[shape]["failedAssertions"], [])
        yield from same(f"{shape} through the module", found[shape]["throughModule"], found[shape]["alone"])
        yield from same(f"{shape}: enable", found[shape]["alone"]["enable"], True)
    yield from same("settings", found["settings"]["alone"]["settings"], expected)
    old = {
        block["host"]: block["extraOptions"]
        for block in found["matchBlocks"]["alone"]["matchBlocks"].values()
    }
    yield from same("matchBlocks", old, expected)
    if found["real"]:
        yield from same("failed assertions", found["real"]["failedAssertions"], [])
        warnings = [warning for warning in found["real"]["warnings"] if USERS_OWN not in warning]
        yield from same("warnings", warnings, [])
        rendered = blocks(found["real"]["text"])
        rendered.pop("*", None)
        yield from same("home-manager's ssh_config", rendered, expected)


def blocks(text: str) -> dict[str, dict[str, str]]:
    """The Host blocks of an ssh_config: their directives by name."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "Host":
            block = found.setdefault(rest, {})
        elif keyword and not keyword.startswith("#"):
            block[keyword] = rest.strip()
    return found
