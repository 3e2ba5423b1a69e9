"""What a switch made, so that the next one can take away what is not wanted any more."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from .unit_files import File, Files

RECORD = Path("/var/lib/lab/generation.json")


@dataclass(frozen=True)
class Generation:
    """Paths with what is there: a link's target or a hash of the content; users and groups."""

    files: dict[str, str] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


def last() -> Generation:
    return Generation(**json.loads(RECORD.read_text())) if RECORD.exists() else Generation()


def record(generation: Generation) -> None:
    write(RECORD, File(json.dumps(generation.__dict__, indent=2) + "\n"))


def hashes(files: Files) -> dict[str, str]:
    return {path: digest(file) for path, file in files.items()}


def digest(file: File) -> str:
    text = f"{file.mode:o} {file.content}"
    return file.target or hashlib.sha256(text.encode()).hexdigest()


def write(path: Path, file: File) -> None:
    """Puts a file or link in place at once, whatever was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    if file.target:
        new.symlink_to(file.target)
    else:
        new.write_text(file.content)
        new.chmod(file.mode)
    os.replace(new, path)
