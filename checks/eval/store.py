"""No secret reaches what goes to the Nix store: the public folder and the evaluated units."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from examples import Example
from nix import evaluate

# Shorter lines, such as the last of a key or `}`, also occur where there is no secret.
SECRET_LINE_LENGTH = 40


def problems(example: Example) -> Iterator[str]:
    """Secrets that are found where everyone can read."""
    lines = secret_lines(example)
    if not lines:
        yield f"{example.name}: there are no secrets to look for"
    for file in sorted(path for path in example.generated.rglob("*") if path.is_file()):
        if lines & words(file.read_text()):
            yield f"{example.name}: {file.relative_to(example.generated)} holds a secret"
    for host in example.spec["hosts"]:
        units = evaluate("host.nix", generated=example.generated, host=host)
        if lines & words(json.dumps(units)):
            yield f"{example.name}: the units of host {host} hold a secret"


def control(example: Example, folder: Path) -> Iterator[str]:
    """A sentence unless a secret that is planted in the public folder is found."""
    generated = Path(shutil.copytree(example.generated, folder / "planted"))
    key = next(example.secrets.rglob("id_ed25519"))
    shutil.copy(key, generated / "hosts" / "notes.txt")
    if not list(problems(replace(example, generated=generated))):
        yield "a planted private key is not found"


def secret_lines(example: Example) -> set[str]:
    """The lines of all private keys."""
    keys = [*example.secrets.rglob("id_ed25519"), *example.secrets.rglob("ssh_host_ed25519_key")]
    found = {line for key in keys for line in key.read_text().splitlines()}
    return {line for line in found if len(line) >= SECRET_LINE_LENGTH and not line.startswith("-----")}


def words(text: str) -> set[str]:
    """Lines and their parts, however a key's line breaks were replaced."""
    for separator in ("\\n", "|", '"', "'"):
        text = text.replace(separator, " ")
    return set(text.split())
