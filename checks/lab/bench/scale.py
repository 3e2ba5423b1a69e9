"""`python -m checks.lab.bench.scale`: seconds and memory for trees of many datasets, without any machine.

A program stands in for zfs and ssh, so that the figures are Dormouse's own. They go into docs/benchmarks.md.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from checks.lab import process, product
from checks.lab.bench import report, stand_in
from checks.lab.bench.report import Table
from checks.lab.bench.stand_in import SNAPSHOTS, Machines

SIZES = [1000, 5000, 20_000]
ROUNDS = 3
PAGE = Path("docs/benchmarks.md")
LIMIT = 3600


class Wrong(Exception):
    """A run did not end as it should."""


@dataclass(frozen=True)
class Measured:
    """What a run of Dormouse took."""

    seconds: float
    # Processor time of Dormouse itself, and of the programs that it started.
    own: float
    programs: float
    kibibytes: int
    started: int


@dataclass(frozen=True)
class Situation:
    """Something to do for a tree."""

    name: str
    title: str
    note: str
    prepare: Callable[[Machines], None]
    # How a run ends, for so many datasets.
    end: str
    arguments: tuple[str, ...] = ("replicate",)
    sends: Callable[[int], int] = lambda _: 0
    # Fewer where a run takes minutes.
    rounds: int = ROUNDS


def nothing(_: Machines) -> None:
    """Changes nothing after the last run."""


NOTHING = "safe: nothing to do: archiver has the newest snapshot of {0} datasets"
SITUATIONS = [
    Situation(
        "idle",
        "Scale: nothing new",
        "The mark shows that nothing has changed, so Dormouse lists the datasets and no snapshots.",
        nothing,
        NOTHING,
    ),
    Situation(
        "unmarked",
        "Scale: nothing new, and no mark",
        f"Dormouse lists the {SNAPSHOTS} snapshots of each dataset on the host, and does not connect to the archiver.",
        Machines.forget_marks,
        NOTHING,
    ),
    Situation(
        "audit",
        "Scale: nothing new, with `--audit`",
        f"Dormouse lists the {SNAPSHOTS} snapshots of each dataset on both sides.",
        nothing,
        "safe: 0 of {0} datasets sent to archiver, 0 B in",
        ("replicate", "--audit"),
    ),
    Situation(
        "one",
        "Scale: one new snapshot on one of the datasets",
        "Dormouse lists all snapshots on the host, and sends one stream.",
        Machines.snapshot_one,
        "safe: 1 of {0} datasets sent to archiver, 624 B in",
        sends=lambda _: 1,
    ),
    Situation(
        "each",
        "Scale: one new snapshot on each dataset",
        "Dormouse lists all snapshots on the host, and sends one stream of 624 bytes for each dataset. Most of the"
        "\ntime starts three programs for each dataset: `zfs send`, `zfs receive`, and `zfs destroy` of the old cursor."
        " Each size was measured once.",
        Machines.snapshot_all,
        "safe: {0} of {0} datasets sent to archiver",
        sends=lambda datasets: datasets,
        rounds=1,
    ),
]


@dataclass
class ScaleTable(Table):
    """One row for each number of datasets."""

    sizes: dict[int, list[Measured]] = field(default_factory=dict)

    def measured(self, datasets: int, run: Measured) -> None:
        self.sizes.setdefault(datasets, []).append(run)
        print(f"bench: {self.title}: {datasets}: {run}", flush=True)

    def text(self) -> str:
        head = "| datasets | s | CPU s, Dormouse | CPU s, stand-in | MiB | programs | µs per dataset | KiB per dataset |"
        lines = [f"## {self.title}", "", self.note, "", head, "|" + "---|" * 8]
        before = None
        for datasets, runs in self.sizes.items():
            now = median(runs)
            lines.append(f"{row(datasets, now)} {growth(before, (datasets, now))} |")
            before = datasets, now
        return "\n".join(lines) + "\n"


def median(runs: list[Measured]) -> Measured:
    values = zip(*((run.seconds, run.own, run.programs, run.kibibytes, run.started) for run in runs), strict=True)
    seconds, own, programs, kibibytes, started = map(statistics.median, values)
    return Measured(seconds, own, programs, round(kibibytes), round(started))


def row(datasets: int, run: Measured) -> str:
    times = f"{run.seconds:.2f} | {run.own:.2f} | {run.programs:.2f}"
    return f"| {datasets:,} | {times} | {run.kibibytes / 1024:.1f} | {run.started:,} |"


def growth(before: tuple[int, Measured] | None, now: tuple[int, Measured]) -> str:
    """What each of the datasets costs that the row above has not: the same in all rows, if the growth is linear."""
    if before is None:
        return "|"
    (some, less), (all_, more) = before, now
    microseconds = (more.own - less.own) / (all_ - some) * 1e6
    return f"{microseconds:.0f} | {(more.kibibytes - less.kibibytes) / (all_ - some):.1f}"


def run(machines: Machines, situation: Situation) -> Measured:
    """Prepares the machines, runs Dormouse, and checks how it ended."""
    situation.prepare(machines)
    machines.started()
    argv = [sys.executable, "-I", "-S", str(Path(__file__).parent / "measured.py"), str(machines.folder / "out")]
    dormouse = [str(product.binary("dormouse")), "--host", "home", "--spec", str(machines.folder / "dormouse.json")]
    dormouse += ["--secrets", str(machines.folder / "secrets"), *situation.arguments]
    environment = [f"{name}={value}" for name, value in machines.environment().items()]
    done = process.run([*argv, "env", *environment, *process.bound(dormouse)], timeout=LIMIT)
    code, seconds, own, programs, kibibytes, least = map(float, done.stdout.split())
    last = (machines.folder / "out").read_text().splitlines()[-1:]
    if code != 0 or not "".join(last).startswith(situation.end.format(machines.datasets)) or done.stderr:
        raise Wrong(f"{situation.title}, {machines.datasets} datasets: exit code {code:.0f}, {last}, {done}")
    if situation.sends(machines.datasets) and machines.arrived() != situation.sends(machines.datasets):
        raise Wrong(f"{situation.title}: {machines.arrived()} of {machines.datasets} copies are as they should be")
    if kibibytes <= least:
        raise Wrong(f"the process that measures needed more memory ({least:.0f} KiB) than Dormouse")
    return Measured(seconds, own, programs, int(kibibytes), machines.started())


def measure(folder: Path, sizes: list[int], names: list[str]) -> Iterator[ScaleTable]:
    for situation in (each for each in SITUATIONS if each.name in names):
        table = ScaleTable(situation.title, note=situation.note)
        for datasets in sizes:
            machines = Machines(folder, datasets)
            for round in range(situation.rounds):
                if round == 0 or situation.sends(datasets):
                    settle(machines)
                table.measured(datasets, run(machines, situation))
        yield table


def settle(machines: Machines) -> None:
    """Makes new machines, and has a run leave marks and records on them."""
    machines.make()
    [audit] = [situation for situation in SITUATIONS if situation.name == "audit"]
    run(machines, audit)


def versions() -> str:
    ours = process.run([str(product.binary("dormouse")), "--version"]).stdout.strip()
    build = product.binary("dormouse").parent.name
    processors = f"processors: {os.cpu_count()}"
    return f"Measured on {time.strftime('%Y-%m-%d')} with `make bench-scale`: {ours} ({build} build); {processors}."


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.lab.bench.scale", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="show that everything works, and measure nothing")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of datasets")
    names = [situation.name for situation in SITUATIONS]
    parser.add_argument("--only", choices=names, nargs="+", default=names, help="what to measure")
    asked = parser.parse_args()
    text = PAGE.read_text()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stand_in.compile_programs(folder)
        stand_in.generate(folder)
        for table in measure(folder, [10, 40] if asked.tiny else asked.sizes, asked.only):
            text = report.updated(text, table, versions(), [])
            if not asked.tiny:
                PAGE.write_text(text)
            print(table.text(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
