"""Stamps in the cache that say which sources of the lab have passed the lab's own tests.

Pure apart from reading and writing files: passed.py connects it to pytest.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from checks.lab import cache

TESTS = Path(__file__).resolve().parent
CHECKS = TESTS.parents[1]
# Each folder tests the lab and nothing of the product, and has a stamp of its own.
PACKAGES = ("ec2", "lab")
KEPT = 12


@dataclass(frozen=True)
class Selection:
    """What one run chose of one package."""

    # Tests that the run is going to run.
    chosen: frozenset[str]
    # Whether nothing but the marker expression kept a test of the package out.
    whole: bool


def sources(package: str, checks: Path = CHECKS) -> list[Path]:
    """The files that the outcome of a package's tests depends on, product tests excluded."""
    tests = checks / "lab" / "tests"
    lab = [path for path in files(checks / "lab") if tests not in path.parents]
    helpers = [path for path in tests.glob("*.py") if not path.name.startswith("test_")]
    return sorted([*lab, *helpers, *files(tests / package), *files(checks / "eval")])


def files(folder: Path) -> Iterable[Path]:
    """All files below a folder that are not documentation or leftovers of Python."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return [path for path in found if "__pycache__" not in path.parts and path.suffix not in {".md", ".pyc"}]


def digest(paths: Iterable[Path], root: Path, settings: Mapping[str, str]) -> str:
    """One hash of the names and contents of files, and of the settings of the run."""
    total = hashlib.sha256()
    parts = [f"{key}={value}".encode() for key, value in sorted(settings.items())]
    for path in paths:
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        parts += [str(path.relative_to(root)).encode(), content]
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def have_passed(selection: Selection, passed: frozenset[str], failed: frozenset[str]) -> bool:
    """Whether a run showed the whole package: a skipped test, or one that never ran, did not pass."""
    return selection.whole and bool(selection.chosen) and selection.chosen <= passed - failed


def file_of(package: str, backend: str, hashed: str) -> Path:
    return cache.folder() / "passed" / f"{package}-{backend}-{hashed[:32]}"


def read(stamp: Path) -> str | None:
    """When these sources passed, or None if they have not."""
    return stamp.read_text().strip() if stamp.is_file() else None


def write(stamp: Path) -> None:
    """Stamps the sources, all or nothing, and forgets the oldest stamps."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    unfinished = stamp.parent / f".{stamp.name}"
    unfinished.write_text(time.strftime("%Y-%m-%d %H:%M\n"))
    unfinished.rename(stamp)
    for old in sorted(stamp.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink()
