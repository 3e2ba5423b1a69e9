"""`python -m checks.lab.bench`: measures Dormouse and its peers, and writes docs/benchmarks.md."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from checks.lab import lab
from checks.lab.bench import peers, report, trees
from checks.lab.bench.peers import Peer
from checks.lab.bench.report import Table
from checks.lab.bench.trees import Tree
from checks.lab.lab import Lab
from checks.lab.product import Product

ROUNDS = 3


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
        return [mine, *((peer.name, peer.command(tree.source, tree.target(peer.name))) for peer in chosen)]

    def use(self, *all_trees: Tree) -> None:
        self.product.replications = {tree.name: tree.replication() for tree in all_trees}
        self.product.generate()
        self.product.install_home()

    def seconds(self, command: list[str]) -> float:
        begin = time.monotonic()
        done = self.lab.home.run(command, timeout=1800, check=False)
        if done.code != 0:
            print(f"bench: {done}", flush=True)
            return float("nan")
        return time.monotonic() - begin

    def idle(self, tree: Tree, everyone: bool) -> Table:
        table = Table(f"Nothing to do: {tree.words}")
        table.add("floor: the filesystems, listed here", *self.rounds(trees.floor_of_listing(tree)))
        for name, command in self.commands(tree, everyone):
            table.add(name, *self.rounds(command, 1 if self.is_slow(name) else ROUNDS))
        return table

    def increments(self, tree: Tree, everyone: bool, delay: str = "") -> Table:
        words = f", {delay} of round trip" if delay else ""
        table = Table(f"One new snapshot on each: {tree.words}{words}")
        for round in range(2):
            for name, command in self.commands(tree, everyone):
                if not self.is_slow(name) or round == 0:
                    self.catch_up(tree, name)
                    trees.snapshot(self.lab, tree)
                    with trees.delayed(self.lab, delay):
                        table.add(name, self.seconds(command))
        return table

    def full(self, tree: Tree, everyone: bool) -> Table:
        table = Table(f"First replication: {tree.words}")
        for _ in range(2):
            table.add("floor: zfs send | ssh | zfs receive", self.seconds(trees.floor_of_sending(self.lab, tree)))
            for name, command in self.commands(tree, everyone):
                table.add(name, self.seconds(command))
            trees.forget(self.lab, tree)
        return table

    def catch_up(self, tree: Tree, name: str) -> None:
        """So that each tool has just one snapshot to send."""
        self.seconds(dict(self.commands(tree, everyone=True))[name])

    def rounds(self, command: list[str], rounds: int = ROUNDS) -> list[float]:
        return [self.seconds(command) for _ in range(rounds)]

    def is_slow(self, name: str) -> bool:
        return any(peer.name == name and peer.slow for peer in self.peers)


def measure(bench: Bench, tiny: bool, without_large: bool) -> Iterator[Table]:
    running = bench.lab
    few, small, large = Tree("few", 10, 5), Tree("small", 30, 20), Tree("large", 100, 20)
    data, deep = Tree("data", 1, 1, mebibytes=256), Tree("deep", 1, 1000)
    if tiny:
        few, small, large = Tree("few", 2, 2), Tree("small", 3, 2), Tree("large", 4, 2)
        data, deep = Tree("data", 1, 1, 4), Tree("deep", 1, 9)
    bench.use(few, small, large, data, deep)
    yield from steps(bench, small, everyone=False)
    yield bench.increments(small, everyone=False, delay="50ms")
    # Tools that send each snapshot by itself need minutes for more.
    yield from steps(bench, few, everyone=True)
    trees.plant(running, data)
    yield bench.full(data, everyone=True)
    trees.plant(running, deep)
    yield bench.full(deep, everyone=False)
    if not without_large:
        yield from steps(bench, large, everyone=False)


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
    parser.add_argument("--without-large", action="store_true", help="leave out the tree of 100 datasets")
    asked = parser.parse_args()
    tables: list[Table] = []
    with lab.opened() as running, tempfile.TemporaryDirectory() as folder:
        running.make_pools()
        bench = Bench(running, Path(folder), asked.without_slow)
        for table in measure(bench, asked.tiny, asked.without_large):
            tables.append(table)
            commands = bench.commands(Tree("few", 10, 5), everyone=True)
            text = report.page(tables, versions(bench.peers), commands, running)
            # Each table is worth keeping, whatever becomes of the next.
            if not asked.tiny:
                Path("docs/benchmarks.md").write_text(text)
    print(text)
    return 0


def versions(found: list[Peer]) -> dict[str, str]:
    return {peer.name.partition(",")[0]: peer.version for peer in found}


if __name__ == "__main__":
    sys.exit(main())
