"""checks/vm.nix, which only a builder with KVM can run, evaluates; its script is Python."""

from collections.abc import Iterator
from pathlib import Path

from compare import same
from nix import REPOSITORY, evaluate


def problems(nixpkgs: Path) -> Iterator[str]:
    """What keeps the test from being built."""
    found = evaluate("vm.nix", nixpkgs=nixpkgs, repository=REPOSITORY)
    yield from same("nodes", sorted(found["nodes"]), ["laptop", "nas"])
    for name, node in found["nodes"].items():
        yield from same(f"{name}: failed assertions", node["failedAssertions"], [])
    try:
        compile(found["testScript"], "testScript", "exec")
    except SyntaxError as error:
        yield f"testScript: {error}"
