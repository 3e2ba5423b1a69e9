"""Counts the processes that a command starts, by the kernel's own accounting."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from checks.lab import wait
from checks.lab.vm import Vm

RECORDS = "/var/log/lab-processes"


@contextmanager
def counted(vm: Vm) -> Iterator[Counter[str]]:
    """Fills in, at the end, how many processes of each name ended meanwhile.

    The kernel writes a record when a process ends, so none is too quick to see.
    """
    count: Counter[str] = Counter()
    until_quiet(vm)
    vm.run(["install", "-m", "600", "/dev/null", RECORDS])
    vm.run(["accton", RECORDS])
    try:
        yield count
        until_quiet(vm)
    finally:
        vm.run(["accton", "off"])
        for line in vm.run(["lastcomm", "--file", RECORDS]).stdout.splitlines():
            count[line.split()[0]] += 1


def until_quiet(vm: Vm) -> None:
    """Waits for what outlives a run by a moment, such as its connection."""
    wait.until(lambda: vm.run(["pgrep", "-x", "ssh|zfs"], check=False).code == 1, "no ssh and no zfs runs")
