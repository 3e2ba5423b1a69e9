"""Folders that are built once, by one builder at a time, all or nothing."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

KEPT = 2


def folder() -> Path:
    """Where the lab keeps what is slow to make, outside any checkout."""
    base = os.environ.get("DORMOUSE_CACHE")
    if base:
        return Path(base) / "lab"
    xdg = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(xdg) / "dormouse" / "lab"


def build_once(target: Path, build: Callable[[Path], None], kind: str) -> Path:
    """Returns `target`, building it first when it is missing.

    The builder fills a folder beside it that is renamed at the end, so a killed
    build leaves no `target`. The lock goes with the process that holds it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_dir():
        with locked(target.parent / ".lock"):
            if not target.is_dir():
                unfinished = target.parent / ".unfinished"
                remove(unfinished)
                unfinished.mkdir()
                build(unfinished)
                unfinished.rename(target)
                prune(target.parent, kind)
    os.utime(target)
    return target


def prune(parent: Path, kind: str) -> None:
    """Keeps the folders of a kind that were used last: two checkouts may differ."""
    by_use = sorted(parent.glob(f"{kind}-*"), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in by_use[KEPT:]:
        remove(old)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits for an exclusive lock on a file."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove(path: Path) -> None:
    """Removes a folder if it is there."""
    if path.exists():
        shutil.rmtree(path)
