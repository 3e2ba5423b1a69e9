"""Going back to an older spec brings back the very same generation: store paths and key bytes."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from compare import same
from examples import Example, generate
from nix import REPOSITORY, evaluate

SPEC = REPOSITORY / "examples" / "home.json"


def problems(folder: Path, nixpkgs: Path | None = None) -> Iterator[str]:
    """What differs between a generation and the one that is made by going back to its spec."""
    original = json.loads(SPEC.read_text())
    changed = json.loads(SPEC.read_text())
    changed["archivers"]["archiver"]["epoch"] = 2
    changed["hosts"]["desktop"]["epoch"] = 2
    changed["hosts"]["desktop"]["replications"]["safe"]["timeout"] = "1h"

    first = generation(original, folder, nixpkgs)
    second = generation(changed, folder, nixpkgs)
    again = generation(original, folder, nixpkgs)
    yield from same("generation after going back", again, first)
    # The control: what is compared does change with the spec.
    for kind in first:
        if first[kind] is not None and first[kind] == second[kind]:
            yield f"another spec has the same {kind}"


def generation(spec: dict, folder: Path, nixpkgs: Path | None) -> dict:
    """The store paths of a host and the bytes of its keys, after generating over what is there."""
    file = folder / "home.json"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(spec))
    example = generate(file, folder)
    host = evaluate("host.nix", generated=example.generated, host="desktop", nixpkgs=nixpkgs)
    return {
        "folder in the store": host["generation"],
        "system": host["toplevel"],
        "units": {kind: host[kind] for kind in ("services", "timers")},
        "keys": keys(example),
    }


def keys(example: Example) -> dict[str, str]:
    """The hash of each secret file."""
    files = sorted(file for file in example.secrets.rglob("*") if file.is_file())
    name = {file: str(file.relative_to(example.secrets)) for file in files}
    return {name[file]: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
