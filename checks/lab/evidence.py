"""Keeps what a person needs to understand a failed test."""

import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from checks.lab import cache
from checks.lab.process import CommandFailed
from checks.lab.vm import MachineEnded, Vm

KEPT = 5
REPORTS = {
    "journal.txt": ["journalctl", "--no-pager", "--output=short-precise"],
    "processes.txt": ["ps", "axfo", "pid,etimes,stat,wchan:20,args"],
    "pools.txt": ["zpool", "status", "-v"],
    "datasets.txt": ["zfs", "list", "-t", "all", "-o", "name,guid,createtxg,used,receive_resume_token"],
    "pool-events.txt": ["zpool", "events", "-v"],
}


def collect(test: str, machines: Iterable[Vm]) -> Path:
    """Saves the logs of the machines in a folder that outlives the lab."""
    folder = make_folder(test)
    for vm in machines:
        (folder / vm.name).mkdir()
        for log in vm.folder.glob("*.log"):
            shutil.copy(log, folder / vm.name)
        for name, argv in REPORTS.items():
            (folder / vm.name / name).write_text(report(vm, argv))
    return folder


def report(vm: Vm, argv: list[str]) -> str:
    """What a command says in a machine, or why it cannot be asked."""
    try:
        result = vm.run(argv, timeout=60, check=False)
    except (MachineEnded, CommandFailed, OSError) as error:
        return f"{error}\n"
    return result.stdout + result.stderr


def make_folder(test: str) -> Path:
    """A folder for a test's evidence; of the older ones only a few stay."""
    parent = cache.folder() / "failed"
    parent.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", test.rpartition("/")[2])
    folder = parent / f"{time.strftime('%Y%m%d-%H%M%S')}-{plain}"
    folder.mkdir(exist_ok=True)
    for old in sorted(parent.iterdir())[:-KEPT]:
        cache.remove(old)
    return folder
