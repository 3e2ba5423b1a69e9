"""Trees to measure with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from checks.lab import tree as files
from checks.lab.bench.peers import KEY
from checks.lab.lab import Lab
from checks.lab.pool import zfs

NUMBERS = count(1)


@dataclass(frozen=True)
class Tree:
    """A dataset with others below it, all with the same snapshots."""

    name: str
    datasets: int
    snapshots: int
    mebibytes: int = 0
    # Which makes a tree of many snapshots ready in the time of one: first replications are not what it is for.
    newest_only: bool = False

    @property
    def source(self) -> str:
        return f"tank/{self.name}"

    def target(self, tool: str) -> str:
        word = "".join(c for c in tool if c.isalnum())
        return f"vault/{word}/{self.name}"

    def replication(self) -> dict[str, Any]:
        names = {"snapshot_names": [self.newest]} if self.newest_only else {}
        return {"archiver": "archiver", "source": self.source, "target": self.target("dormouse"), **names}

    @property
    def newest(self) -> str:
        return f"s{self.snapshots}"

    @property
    def words(self) -> str:
        size = f", {self.mebibytes} MiB incompressible" if self.mebibytes else ""
        only = ", the newest of them replicated" if self.newest_only else ""
        return f"{self.datasets} datasets × {self.snapshots} snapshots{only}{size}"


def plant(lab: Lab, tree: Tree) -> None:
    zfs(lab.home, "create", tree.source)
    script = 'for n in $(seq "$2"); do zfs create "$1/d$n"; done; '
    script += 'for n in $(seq "$3"); do zfs snapshot -r "$1@s$n"; done'
    if tree.mebibytes:
        files.write(lab.home, tree.source, "file", tree.mebibytes)
    lab.home.run(["sh", "-c", script, "sh", tree.source, str(tree.datasets - 1), str(tree.snapshots)], timeout=1800)
    for tool in ("bzfscached", "bzfslean", "syncoid", "zfsautobackup", "zfsreplicate"):
        zfs(lab.archiver, "create", "-p", f"vault/{tool}")


def snapshot(lab: Lab, tree: Tree) -> None:
    files.snapshot(lab.home, tree.source, f"new{next(NUMBERS)}")


def forget(lab: Lab, tree: Tree) -> None:
    """No copy is left, and the host knows of none."""
    names = zfs(lab.archiver, "list", "-H", "-r", "-o", "name", "vault").stdout.splitlines()
    for name in names:
        if name.endswith(f"/{tree.name}"):
            zfs(lab.archiver, "destroy", "-r", name)
    for name in zfs(lab.home, "list", "-H", "-r", "-t", "bookmark", "-o", "name", tree.source).stdout.splitlines():
        zfs(lab.home, "destroy", name)
    zfs(lab.home, "inherit", f"dormouse:lab.archiver.{tree.name}", tree.source)


@contextmanager
def delayed(lab: Lab, delay: str) -> Iterator[None]:
    """What home sends waits for the whole round trip's time."""
    if not delay:
        yield
        return
    # By default it drops what is more than 1000 packets on the way: less than one window of ssh.
    netem = ["netem", "delay", delay, "limit", "100000"]
    lab.home.run(["tc", "qdisc", "replace", "dev", "eth0", "root", *netem])
    try:
        yield
    finally:
        lab.home.run(["tc", "qdisc", "delete", "dev", "eth0", "root"])


def floor_of_listing(tree: Tree) -> list[str]:
    columns = "name,guid,snapshots_changed"
    return ["zfs", "list", "-H", "-p", "-r", "-t", "filesystem,volume", "-o", columns, tree.source]


def floor_of_sending(lab: Lab, tree: Tree) -> list[str]:
    """A full stream, then one with all the rest; datasets below the source are not for this."""
    ssh = f"ssh -i {KEY} root@{lab.archiver.address}"
    receive = f"zfs receive -u vault/floor/{tree.name}"
    more = f"zfs send -I @s1 {tree.source}@{tree.newest} | {ssh} {receive}" if tree.snapshots > 1 else "true"
    script = f"{ssh} zfs create -p vault/floor; zfs send {tree.source}@s1 | {ssh} {receive} && {more}"
    return ["sh", "-c", script]


def prepare_receives(lab: Lab, tree: Tree) -> list[str]:
    """Makes as many copies on the archiver; what brings each of them its next snapshot, there and from a file."""
    script = """
        zfs create -p vault/receives/from && zfs snapshot vault/receives/from@1 && zfs snapshot vault/receives/from@2
        zfs send vault/receives/from@1 >/run/first && zfs send -L -c -i @1 vault/receives/from@2 >/run/next
        for n in $(seq "$1"); do zfs receive -s -u -o readonly=on vault/receives/d$n </run/first; done
    """
    lab.archiver.run(["sh", "-ec", script, "sh", str(tree.datasets)], timeout=300)
    again = 'for n in $(seq "$1"); do zfs receive -s -u vault/receives/d$n </run/next || exit; done'
    return ["sh", "-c", again, "sh", str(tree.datasets)]


def forget_receives(lab: Lab) -> None:
    zfs(lab.archiver, "destroy", "-r", "vault/receives")
