"""The template of `nix flake init`, generated in a copy, is a configuration that evaluates."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from compare import same
from examples import Example
from nix import REPOSITORY, evaluate


def problems(example: Example, nixpkgs: Path | None = None) -> Iterator[str]:
    """What is wrong with the template; `example` is its spec, generated."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(REPOSITORY / "templates" / "flake", Path(temporary) / "flake"))
        shutil.copytree(example.generated, folder / "generated")
        found = evaluate("template.nix", folder=folder, nixpkgs=nixpkgs)
        yield from same("outputs", found["outputs"], ["checks", "nixosConfigurations"])
        yield from same("hosts", found["hosts"], list(example.spec["hosts"]))
        yield from same("checks", found["checks"], ["generated"])
        yield from same("failed assertions", found["failedAssertions"], [])
        for module in found["modules"]:
            if not Path(module).exists():
                yield f"{module} does not exist"
