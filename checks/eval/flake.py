"""flake.nix has the outputs that its users expect, and flake.lock is a lock of its inputs."""

import base64
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from compare import items, same
from nix import REPOSITORY, EvaluationError, evaluate, flake_check

SYSTEMS = {"aarch64-linux", "x86_64-linux"}
PROGRAMS = {"default": "dormouse", "dormouse": "dormouse", "generate": "dormouse-generate"}
OUTPUTS = {
    "apps",
    "checks",
    "devShells",
    "formatter",
    "homeModules",
    "nixosModules",
    "overlays",
    "packages",
    "templates",
}


def problems() -> Iterator[str]:
    """What is missing in the outputs or wrong in the lock."""
    found = evaluate("outputs.nix")
    yield from same("outputs", set(found["outputs"]), OUTPUTS)
    for output in ("apps", "checks", "devShells", "formatter", "packages"):
        yield from same(f"{output}: systems", set(found[output]), SYSTEMS)
    for system in SYSTEMS:
        yield from of_system(found, system)
    yield from same("overlay", found["overlay"], {"dormouse": "dormouse"})
    yield from same("nixosModules", set(found["nixosModules"]), {"default", "dormouse"})
    yield from same("homeModules", set(found["homeModules"]), {"default", "dormouse"})
    yield from same("templates", found["templates"], {"default": str(REPOSITORY / "templates" / "flake")})
    yield from of_lock(lock(), found["inputs"])


def evaluated(nixpkgs: Path) -> Iterator[str]:
    """What `nix flake check` says of this checkout with another nixpkgs; nothing is built."""
    with tempfile.TemporaryDirectory(prefix="dormouse-flake-") as folder:
        copy = Path(folder) / "dormouse"
        # A `path:` flake copies everything to the store.
        built = shutil.ignore_patterns(".git", "target", "result*", "__pycache__")
        shutil.copytree(REPOSITORY, copy, ignore=built, symlinks=True)
        try:
            flake_check(copy, nixpkgs)
        except EvaluationError as error:
            yield str(error)


def control() -> Iterator[str]:
    """Wrong locks that pass."""
    for field, value in (("rev", "main"), ("narHash", "sha256-AAAA"), ("lastModified", None)):
        wrong = lock()
        locked = wrong["nodes"]["nixpkgs"]["locked"]
        if value is None:
            del locked[field]
        else:
            locked[field] = value
        if not list(of_lock(wrong, ["nixpkgs"])):
            yield f"flake.lock: {field} = {value} is taken"


def lock() -> dict:
    """The flake.lock."""
    return json.loads((REPOSITORY / "flake.lock").read_text())


def of_system(found: dict, system: str) -> Iterator[str]:
    """What is wrong in the outputs for one system."""
    programs = {name: f"/dormouse/bin/{program}" for name, program in PROGRAMS.items()}
    apps = {name: app["program"] for name, app in found["apps"][system].items()}
    yield from same(f"apps.{system}", apps, programs)
    packages = found["packages"][system]
    main = {name: package["meta"]["mainProgram"] for name, package in packages.items()}
    yield from same(f"packages.{system}: main programs", main, PROGRAMS)
    for name, package in packages.items():
        yield from items(f"packages.{system}.{name}", package, {"pname": "dormouse", "lockExists": True})
    files = {file.stem for file in (REPOSITORY / "checks").glob("*.nix")} - {"default"}
    yield from same(f"checks.{system}", set(found["checks"][system]), files)


def of_lock(found: dict, inputs: list[str]) -> Iterator[str]:
    """What is wrong in the form of a flake.lock."""
    yield from same("flake.lock: version", found["version"], 7)
    yield from same("flake.lock: inputs", sorted(found["nodes"]["root"]["inputs"]), inputs)
    yield from same("flake.lock: nodes", set(found["nodes"]), {"root", *inputs})
    for name in inputs:
        locked = found["nodes"][name]["locked"]
        fields = {"lastModified", "narHash", "owner", "repo", "rev", "type"}
        yield from same(f"flake.lock: fields of {name}", set(locked), fields)
        if not re.fullmatch("[0-9a-f]{40}", locked["rev"]):
            yield f"flake.lock: {name}: {locked['rev']} is no commit"
        method, _, digest = locked["narHash"].partition("-")
        if method != "sha256" or len(base64.b64decode(digest, validate=True)) != 32:
            yield f"flake.lock: {name}: {locked['narHash']} is no SHA-256"
