"""A pool on a disk of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from checks.lab.disk import Disk
from checks.lab.process import CommandFailed, Result
from checks.lab.vm import Vm


@dataclass(frozen=True)
class Pool:
    """A pool in a machine, on one disk."""

    vm: Vm
    name: str
    disk: Disk

    def create(self) -> None:
        self.vm.attach(self.disk)
        self.vm.run(["zpool", "create", "-f", "-o", "ashift=12", self.name, self.disk.device])

    def export(self) -> None:
        self.vm.run(["zpool", "export", self.name])

    def import_(self) -> None:
        self.vm.run(["zpool", "import", "-d", "/dev/disk/by-id", self.name])

    def on(self, vm: Vm) -> "Pool":
        """The same pool in another machine, after its disk was moved there."""
        return Pool(vm, self.name, self.disk)

    def remove(self) -> None:
        """Exports the pool and pulls its disk out; the file stays.

        A pool that something still holds lets go in a restarted machine.
        """
        if not self.vm.has(self.disk):
            return
        if self.vm.run(["zpool", "export", self.name], check=False).code != 0 and self.is_imported():
            self.vm.reset()
            self.vm.run(["zpool", "export", self.name])
        self.vm.detach(self.disk)

    def is_imported(self) -> bool:
        return self.vm.run(["zpool", "list", self.name], check=False).code == 0


def zfs(vm: Vm, *arguments: str, check: bool = True) -> Result:
    """Runs zfs in a machine."""
    return vm.run(["zfs", *arguments], check=check)


def rows(vm: Vm, arguments: Sequence[str]) -> list[list[str]]:
    """The rows that a `zfs … -H` command prints, split into columns."""
    return [line.split("\t") for line in zfs(vm, *arguments).stdout.splitlines()]


def value(vm: Vm, name: str, target: str) -> str:
    """One property of a dataset, pool's root or snapshot."""
    return zfs(vm, "get", "-H", "-p", "-o", "value", name, target).stdout.rstrip("\n")


def exists(vm: Vm, target: str) -> bool:
    """Whether there is such a dataset; any other trouble is an error."""
    listed = zfs(vm, "list", "-H", "-o", "name", target, check=False)
    if listed.code != 0 and "does not exist" not in listed.stderr:
        raise CommandFailed(listed, vm.name)
    return listed.code == 0


def resume_token(vm: Vm, dataset: str) -> str | None:
    """The token with which an interrupted receive goes on."""
    if not exists(vm, dataset):
        return None
    token = value(vm, "receive_resume_token", dataset)
    return None if token == "-" else token


def received(vm: Vm, dataset: str) -> int:
    """How many bytes of a stream have arrived that an interrupted receive can go on from."""
    token = resume_token(vm, dataset)
    return 0 if token is None else received_of(vm, token)


def received_of(vm: Vm, token: str) -> int:
    """How many bytes of its stream a token says to have arrived."""
    shown = zfs(vm, "send", "-n", "-v", "-t", token, check=False)
    match = re.search(r"bytes = (0x[0-9a-f]+)", shown.stdout + shown.stderr)
    assert match, shown
    return int(match[1], 16)
