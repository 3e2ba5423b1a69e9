"""A first replication over a long fat line, where one connection carries one window in each round trip."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from checks.lab import tree as files
from checks.lab.bench import trees
from checks.lab.bench.peers import KEY
from checks.lab.bench.report import Table
from checks.lab.bench.trees import Tree
from checks.lab.lab import Lab
from checks.lab.pool import zfs

ROUNDS = 2
# MiB that ssh sends over a channel before the other side has answered (`CHAN_SES_WINDOW_DEFAULT` in channels.h).
WINDOW = 2
# One channel carries at most this part of what the archiver takes without delay.
SHARE = 6

# MiB that the archiver's kernel may keep of a connection. Each packet that User Mode Linux receives occupies a buffer of
# many times its size, and the kernel counts those: with the usual 6 MiB, TCP would stop the sender after 0.3 MiB.
RECEIVE = 64

Seconds = Callable[[list[str]], float]


def round_trip(rate: float) -> int:
    """Milliseconds in which a channel carries a `SHARE`th of this rate in MiB/s, rounded up."""
    return math.ceil(WINDOW * SHARE / rate * 100) * 10


@contextmanager
def wide_receive(lab: Lab) -> Iterator[None]:
    """Only ssh's window bounds what is on its way to the archiver."""
    name = "net.ipv4.tcp_rmem"
    before = lab.archiver.run(["sysctl", "-n", name]).stdout.strip()
    smallest, usual, _ = before.split()
    lab.archiver.run(["sysctl", "-q", "-w", f"{name}={smallest} {usual} {RECEIVE << 20}"])
    try:
        yield
    finally:
        lab.archiver.run(["sysctl", "-q", "-w", f"{name}={before}"])


def plant(lab: Lab, tree: Tree) -> list[str]:
    """Fills each dataset below the source, which is empty; their names."""
    zfs(lab.home, "create", tree.source)
    names = [f"d{number}" for number in range(1, tree.datasets)]
    for name in names:
        zfs(lab.home, "create", f"{tree.source}/{name}")
        files.write(lab.home, f"{tree.source}/{name}", "file", tree.mebibytes)
    files.snapshot(lab.home, tree.source, "s1")
    return names


def raw(lab: Lab, tree: Tree, names: list[str]) -> list[str]:
    """Sends datasets one after the other, without Dormouse."""
    ssh = f"ssh -i {KEY} root@{lab.archiver.address}"
    script = f'for n; do zfs send "{tree.source}/$n@s1" | {ssh} zfs receive -u "vault/raw/{tree.name}/$n" || exit; done'
    return ["bash", "-o", "pipefail", "-c", script, "bash", *names]


def measure(lab: Lab, tree: Tree, seconds: Seconds, replicate: list[str]) -> Table:
    """One channel without and with the delay, a raw pipe and Dormouse."""
    names = plant(lab, tree)
    table = Table(f"First replication over a long fat line: {len(names)} datasets of {tree.mebibytes} MiB")

    def timed(command: list[str], delay: str = "") -> float:
        with wide_receive(lab), trees.delayed(lab, delay):
            taken = seconds(command)
        trees.forget(lab, tree)
        return taken

    def one_channel(delay: str = "") -> float:
        return min(timed_raw(names[:1], delay) for _ in range(ROUNDS))

    def timed_raw(sent: list[str], delay: str) -> float:
        zfs(lab.archiver, "create", "-p", f"vault/raw/{tree.name}")
        return timed(raw(lab, tree, sent), delay)

    near = one_channel()
    delay = f"{round_trip(tree.mebibytes / near)}ms"
    far = one_channel(delay)
    table.add("one dataset through a raw pipe, without delay", near)
    table.add("one dataset through a raw pipe", far)
    for _ in range(ROUNDS):
        table.add("all datasets through a raw pipe, one after the other", timed_raw(names, delay))
        table.add("dormouse", timed(replicate, delay))
    rates = f"One channel carries {tree.mebibytes / far:.1f} MiB/s, and without delay {tree.mebibytes / near:.1f} MiB/s"
    table.note = f"The round trip is {delay}. {rates}, {far / near:.1f} times as much. "
    table.note += f"The archiver may buffer {RECEIVE} MiB of each connection."
    return table
