"""`python -m checks.lab.bench`: measures Dormouse and its peers, and writes docs/benchmarks.md."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from checks.lab import lab
from checks.lab.bench import fat, peers, report, trees
from checks.lab.bench.peers import Peer
from checks.lab.bench.report import Table
from checks.lab.bench.trees import Tree
from checks.lab.lab import Lab
from checks.lab.remote import Remote
from checks.lab.product import Product

ROUNDS = 3
# A round trip of a real network, and one that weighs as much beside the emulated machines' work as a real one
# does beside real machines', which are about ten times faster.
DELAYS = ["50ms", "500ms"]
# What a process itself has worked, without its children, is known as long as it is there.
OWN_TIME = """
    "$@" >&2 & pid=$!
    while read -ra now </proc/$pid/stat; do fields=( "${now[@]}" ); sleep 0.1; done 2>/dev/null
    wait $pid && echo $((fields[13] + fields[14]))
"""


FEW = Tree("few", 10, 5)
SIZES = {
    "small": Tree("small", 30, 20),
    "line": Tree("line", 30, 3),
    "few": FEW,
    "data": Tree("data", 1, 1, mebibytes=1024),
    "big": Tree("big", 1, 1, mebibytes=2048),
    "fat": Tree("fat", 5, 1, mebibytes=256),
    "deep": Tree("deep", 1, 1000),
    "large": Tree("large", 100, 5),
    "wide": Tree("wide", 100, 50, newest_only=True),
    "huge": Tree("huge", 1000, 20, newest_only=True),
}
TINY = {
    "small": Tree("small", 3, 2),
    "line": Tree("line", 3, 2),
    "few": Tree("few", 2, 2),
    "data": Tree("data", 1, 1, mebibytes=4),
    "big": Tree("big", 1, 1, mebibytes=8),
    "fat": Tree("fat", 3, 1, mebibytes=2),
    "deep": Tree("deep", 1, 9),
    "large": Tree("large", 4, 2),
    "wide": Tree("wide", 4, 5, newest_only=True),
    "huge": Tree("huge", 6, 3, newest_only=True),
}


class Bench:
    """One boot of both machines, with everything installed."""

    def __init__(self, running: Lab, folder: Path, without_slow: bool) -> None:
        self.lab = running
        self.product = Product(running, folder)
        self.product.install()
        self.peers = [peer for peer in peers.install(running, folder) if not (peer.slow and without_slow)]

    def commands(self, tree: Tree, everyone: bool) -> list[tuple[str, list[str]]]:
        """Each tool's command for a tree: every tool has a copy of its own on the archiver."""
        chosen = [peer for peer in self.peers if everyone or not peer.slow]
        mine = ("dormouse", self.product.argv("replicate", tree.name))
        return [mine, *((peer.name, self.command(peer, tree)) for peer in chosen)]

    def command(self, peer: Peer, tree: Tree) -> list[str]:
        only = [peer.only.format(tree.newest)] if tree.newest_only else []
        return [*peer.command(tree.source, tree.target(peer.name)), *only]

    def use(self, *all_trees: Tree) -> None:
        self.product.replications = {tree.name: tree.replication() for tree in all_trees}
        self.product.generate()
        self.product.install_home()

    def ready(self, tree: Tree, alone: bool = False) -> None:
        """Every quick tool, or Dormouse `alone`, has brought over what there is."""
        trees.plant(self.lab, tree)
        for _, command in self.commands(tree, everyone=False)[: 1 if alone else None]:
            self.seconds(command)

    def seconds(self, command: list[str], machine: Remote | None = None) -> float:
        begin = time.monotonic()
        done = (machine or self.lab.home).run(command, timeout=7200, check=False)
        if done.code != 0:
            print(f"bench: {done}", flush=True)
            return float("nan")
        return time.monotonic() - begin

    def idle(self, tree: Tree, everyone: bool = False, alone: bool = False) -> Table:
        table = Table(f"Nothing to do: {tree.words}")
        if tree.newest_only:
            table.note = "That the others stay, Dormouse knows by `snapshot_names`, bzfs by `--include-snapshot-regex`."
        floor = ("floor: the filesystems, listed here", trees.floor_of_listing(tree))
        commands = [floor, *self.commands(tree, everyone)[: 1 if alone else None]]
        for round in range(ROUNDS):
            for name, command in commands:
                if not self.is_slow(name) or round == 0:
                    table.add(name, self.seconds(command))
        return table

    def increments(self, tree: Tree, everyone: bool, delay: str = "") -> Table:
        words = f", {delay} of round trip" if delay else ""
        table = Table(f"One new snapshot on each: {tree.words}{words}")
        commands = self.commands(tree, everyone)
        for round in range(ROUNDS):
            receives = trees.prepare_receives(self.lab, tree)
            table.add("floor: as many `zfs receive` there, of a file", self.seconds(receives, self.lab.archiver))
            trees.forget_receives(self.lab)
            trees.snapshot(self.lab, tree)
            # Whoever is first finds nothing in the host's caches.
            for name, command in commands[round:] + commands[:round]:
                if not self.is_slow(name) or round == 0:
                    with trees.delayed(self.lab, delay):
                        table.add(name, self.seconds(command))
        return table

    def full(self, tree: Tree, rounds: int, alone: bool = False) -> Table:
        """With `alone` beside the floor only: others take long, or the pools have no room for theirs."""
        table = Table(f"First replication: {tree.words}")
        for _ in range(rounds):
            table.add("floor: zfs send into ssh into zfs receive", self.seconds(trees.floor_of_sending(self.lab, tree)))
            for name, command in self.commands(tree, everyone=False)[: 1 if alone else None]:
                table.add(name, self.seconds(command))
            trees.forget(self.lab, tree)
        return table

    def share(self, tree: Tree) -> str:
        """How much of what a first replication costs the host's processor is Dormouse's own."""
        before = self.busy()
        command = self.product.argv("replicate", tree.name)
        own = self.lab.home.run(["bash", "-c", OWN_TIME, "bash", *command], timeout=900)
        ticks = int(own.stdout.splitlines()[-1])
        trees.forget(self.lab, tree)
        return f"Of the processor's time at home, {ticks / (self.busy() - before):.1%} is Dormouse's own."

    def busy(self) -> int:
        """What the host's processor has worked so far, in hundredths of a second (proc(5), `/proc/stat`)."""
        fields = self.lab.home.run(["head", "-n", "1", "/proc/stat"]).stdout.split()[1:]
        user, nice, system, _idle, _wait, irq, softirq = map(int, fields[:7])
        return user + nice + system + irq + softirq

    def is_slow(self, name: str) -> bool:
        return any(peer.name == name and peer.slow for peer in self.peers)


def measure(bench: Bench, sizes: dict[str, Tree], asked: list[str]) -> Iterator[Table]:
    """The tables of the trees that are asked for."""
    bench.use(*sizes.values())
    if "small" in asked:
        yield from steps(bench, sizes["small"], everyone=False)
    if "line" in asked:
        bench.ready(sizes["line"])
        for delay in DELAYS:
            yield bench.increments(sizes["line"], everyone=False, delay=delay)
    if "few" in asked:
        # Tools that send each snapshot by itself need minutes for more.
        yield from steps(bench, sizes["few"], everyone=True)
    if "data" in asked:
        trees.plant(bench.lab, sizes["data"])
        full = bench.full(sizes["data"], rounds=ROUNDS)
        full.note = bench.share(sizes["data"])
        yield full
    if "big" in asked:
        trees.plant(bench.lab, sizes["big"])
        full = bench.full(sizes["big"], rounds=2, alone=True)
        full.note = bench.share(sizes["big"])
        yield full
    if "fat" in asked:
        yield fat.measure(bench.lab, sizes["fat"], bench.seconds, bench.product.argv("replicate", "fat"))
    if "deep" in asked:
        trees.plant(bench.lab, sizes["deep"])
        yield bench.full(sizes["deep"], rounds=1, alone=True)
    if "large" in asked:
        yield from steps(bench, sizes["large"], everyone=False)
    if "wide" in asked:
        bench.ready(sizes["wide"])
        yield bench.idle(sizes["wide"])
    if "huge" in asked:
        bench.ready(sizes["huge"], alone=True)
        yield bench.idle(sizes["huge"], alone=True)


def steps(bench: Bench, tree: Tree, everyone: bool) -> Iterator[Table]:
    """What is measured with a tree of small datasets."""
    trees.plant(bench.lab, tree)
    first = Table(f"First replication: {tree.words}")
    for name, command in bench.commands(tree, everyone):
        first.add(name, bench.seconds(command))
    yield first
    time.sleep(2)
    yield bench.idle(tree, everyone)
    yield bench.increments(tree, everyone)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.lab.bench", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="show that everything works, and measure nothing")
    parser.add_argument("--without-slow", action="store_true", help="leave out tools that need minutes for each run")
    parser.add_argument("--only", choices=SIZES, nargs="+", default=list(SIZES), help="measure with these trees")
    asked = parser.parse_args()
    page = Path("docs/benchmarks.md")
    text = page.read_text()
    with lab.opened() as running, tempfile.TemporaryDirectory() as folder:
        running.make_pools()
        bench = Bench(running, Path(folder), asked.without_slow)
        commands = bench.commands(FEW, everyone=True)
        for table in measure(bench, TINY if asked.tiny else SIZES, asked.only):
            text = report.updated(text, table, report.versions(versions(bench.peers), running), commands)
            # Each table is worth keeping, whatever becomes of the next.
            if not asked.tiny:
                page.write_text(text)
    print(text)
    return 0


def versions(found: list[Peer]) -> dict[str, str]:
    return {peer.name.partition(",")[0]: peer.version for peer in found}


if __name__ == "__main__":
    sys.exit(main())
