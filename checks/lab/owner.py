"""Names for what a lab makes, so that a later lab can tell what is left over.

Each name carries the process id of its owner and when that process started
(ids are used again). What belongs to no living process is swept away.
"""

import contextlib
import itertools
import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path

from checks.lab import process
from checks.lab.process import CommandFailed

PREFIX = "dormouse-lab"
NAMESPACES = Path("/run/netns")
_counter = itertools.count(1)


def new_name() -> str:
    """A name that no other lab has, in this process or another."""
    pid = os.getpid()
    return f"{PREFIX}-{pid}-{started(pid)}-{next(_counter)}"


def started(pid: int) -> int | None:
    """When a process started, in clock ticks after boot; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[19])


def is_stale(name: str) -> bool:
    """Tells whether a name is a lab's whose process has ended."""
    match = re.fullmatch(rf"{PREFIX}-(\d+)-(\d+)-\d+", name)
    return match is not None and started(int(match[1])) != int(match[2])


def folders() -> Path:
    """Where labs put their folders: short, for sockets' paths hold 107 bytes."""
    return Path(tempfile.gettempdir())


def sweep() -> None:
    """Removes what labs left that were killed before they could clean up.

    Another lab may be sweeping at the same moment.
    """
    for namespace in listed(NAMESPACES):
        if is_stale(namespace):
            remove_namespace(namespace)
    for folder in listed(folders()):
        if is_stale(folder):
            shutil.rmtree(folders() / folder, ignore_errors=True)


def listed(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob(f"{PREFIX}-*"))


def remove_namespace(namespace: str) -> None:
    """Ends what still runs in a namespace, then removes it with all its devices."""
    if not (NAMESPACES / namespace).exists():
        return
    deadline = time.monotonic() + 10
    while (pids := inhabitants(namespace)) and time.monotonic() < deadline:
        for pid in pids:
            kill(pid)
        time.sleep(0.05)
    deleted = process.run(["ip", "netns", "delete", namespace], check=False)
    if deleted.code != 0 and (NAMESPACES / namespace).exists():
        raise CommandFailed(deleted)


def inhabitants(namespace: str) -> list[int]:
    """The processes that run in a namespace."""
    listing = process.run(["ip", "netns", "pids", namespace], check=False)
    return [int(pid) for pid in listing.stdout.split()]


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
