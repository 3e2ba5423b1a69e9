"""A schedule that goes on among faults: what is lost, what stays awake, and what needs a person.

Each round changes something at home, takes a snapshot, and runs `dormouse replicate` while something
goes wrong. The trouble passes, and the command is run again as a timer would, until it succeeds. At
the end every snapshot that a run has called arrived must be on the archiver.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from checks.lab import lab, sleeper, tree, wait
from checks.lab.ec2.faults import Step
from checks.lab.ec2.fixtures import client
from checks.lab.lab import Lab
from checks.lab.pool import value, zfs
from checks.lab.process import CommandFailed, Result
from checks.lab.sleeper import LINGER, Sleeper
from checks.lab.vm import Vm

SOURCE = "tank/tree"
TARGET = "vault/home/tree"
REPLICATION = {"tree": {"archiver": "archiver", "source": SOURCE, "target": TARGET}}
# As many snapshots stay at home; older ones go, as a timer prunes them.
KEPT = 8
# How often a timer would try before somebody is called.
TRIES = 3
# What a lost client costs an archiver besides `linger`: sshd notices it after a minute; then the power-off.
NOTICED = 180
MIB = 1 << 20


@dataclass
class Tally:
    """What happened."""

    rounds: int = 0
    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)
    awake: int = 0
    stuck: int = 0
    instances: int = 0
    arrived: int = 0
    lost: int = 0
    seconds: float = 0

    def is_clean(self) -> bool:
        return not (self.awake or self.stuck or self.lost)

    def table(self) -> str:
        """As docs/reliability.md has it."""
        faults = ", ".join(f"{what} {count}" for what, count in sorted(self.faults.items()))
        exits = ", ".join(f"{code}: {count}" for code, count in sorted(self.exits.items()))
        rows = [
            ("time", f"{self.seconds / 60:.0f} min"),
            ("rounds", str(self.rounds)),
            ("faults", f"{sum(self.faults.values())}: {faults}"),
            ("runs of `dormouse replicate`", str(self.runs)),
            ("exit codes", exits),
            ("instances launched", str(self.instances)),
            ("snapshots that arrived", str(self.arrived)),
            ("snapshots lost", str(self.lost)),
            ("instances that stayed awake", str(self.awake)),
            ("rounds that needed a person", str(self.stuck)),
        ]
        return "\n".join(["| what | how many |", "|---|---|", *(f"| {what} | {much} |" for what, much in rows)])


class Soak:
    """Works with an archiver that is set up and asleep."""

    def __init__(self, archiver: Sleeper, seed: int) -> None:
        self.archiver = archiver
        self.home = archiver.lab.home
        self.ec2 = archiver.cloud.ec2
        self.random = random.Random(seed)
        self.tally = Tally()
        self.arrived: set[str] = set()
        self.began = time.monotonic()
        self.is_hit = False
        self.faults: list[Callable[[], Iterator[None]]] = [
            self.nothing,
            self.dormouse_killed,
            self.network_cut,
            self.instance_killed,
            self.instance_terminated,
            self.api_error,
            self.api_reply_lost,
            self.clock_step,
            self.volume_full,
            self.source_full,
        ]

    def round(self) -> None:
        """One change, one fault, and as many runs as it takes."""
        self.tally.rounds += 1
        self.change()
        fault = self.random.choice(self.faults)
        name = fault.__name__.replace("_", " ")
        self.is_hit = fault != self.nothing
        begun, codes = time.monotonic(), []
        with contextmanager(fault)():
            codes.append(self.finish().code)
        if self.is_hit:
            self.tally.faults[name] += 1
        self.settle()
        while codes[-1] != 0 and len(codes) <= TRIES:
            self.start()
            codes.append(self.finish().code)
            self.settle()
        if codes[-1] == 0:
            self.arrived |= set(tree.guids(self.home, SOURCE).values())
        else:
            self.tally.stuck += 1
        self.tally.runs += len(codes)
        self.tally.exits.update(codes)
        ended = " then ".join(map(str, codes))
        shown = name if self.is_hit else f"({name})"
        print(f"{self.tally.rounds:4}  {shown:22} exit {ended:12} {time.monotonic() - begun:4.0f} s", flush=True)

    def change(self) -> None:
        number = self.tally.rounds
        dataset = self.random.choice([SOURCE, f"{SOURCE}/a", f"{SOURCE}/a/b"])
        tree.write(self.home, dataset, f"file{number % 10}", self.random.randint(1, 8))
        if number % 10 == 0:
            zfs(self.home, "create", f"{SOURCE}/new{number}")
        tree.snapshot(self.home, SOURCE, f"auto-{number:04}")
        old = number - KEPT
        if old > 0:
            zfs(self.home, "destroy", "-d", "-r", f"{SOURCE}@auto-{old:04}", check=False)

    def start(self) -> None:
        self.running = self.archiver.start("replicate")

    def finish(self) -> Result:
        return self.running.wait(timeout=1200)

    def settle(self) -> None:
        """What a fault has left awake must fall asleep by itself."""
        try:
            self.archiver.wait_asleep(LINGER + NOTICED)
        except TimeoutError:
            self.tally.awake += 1
            for life in self.ec2.alive():
                self.api_terminate(life.id)
            self.archiver.wait_asleep()

    def sometime(self, longest: float) -> None:
        """Waits for a moment of the run. When that has ended by then, nothing is hit."""
        time.sleep(self.random.uniform(0.5, longest))
        self.is_hit = self.running.is_running()

    def instance(self) -> Vm | None:
        """The machine that the run has woken, if it is there already."""
        for life in self.ec2.alive():
            with suppress(KeyError):
                return self.archiver.cloud.vm(life.id)
        return None

    def woken(self) -> Vm | None:
        """The machine that the run has woken, some time after it began to boot."""
        with suppress(TimeoutError):
            wait.until(lambda: self.instance() is not None or not self.running.is_running(), "it is woken", 120)
        self.sometime(15)
        machine = self.instance()
        self.is_hit = self.is_hit and machine is not None
        return machine

    def isolate(self, taps: list[str], isolated: bool) -> None:
        for tap in taps:
            # The instance may have gone meanwhile.
            with suppress(CommandFailed):
                self.archiver.lab.network.isolate(tap, isolated)

    def api_terminate(self, instance: str) -> None:
        client(self.ec2.observer_endpoint).terminate_instances(InstanceIds=[instance])

    # The faults: each starts the run, and is over when the run has ended.

    def nothing(self) -> Iterator[None]:
        self.start()
        yield

    def dormouse_killed(self) -> Iterator[None]:
        self.start()
        self.sometime(30)
        self.running.kill()
        yield

    def network_cut(self) -> Iterator[None]:
        self.start()
        if machine := self.woken():
            taps = [self.home.tap, machine.tap]
            self.isolate(taps, True)
            time.sleep(self.random.uniform(5, 120))
            self.isolate(taps, False)
        yield

    def instance_killed(self) -> Iterator[None]:
        self.start()
        if machine := self.woken():
            machine.kill()
        yield

    def instance_terminated(self) -> Iterator[None]:
        self.start()
        self.woken()
        for life in self.ec2.alive():
            self.api_terminate(life.id)
        yield

    def api_error(self) -> Iterator[None]:
        code = self.random.choice(["InternalError", "RequestLimitExceeded", "OperationNotPermitted"])
        self.ec2.faults.fail("*", code, when=Step(self.random.randint(1, 8)))
        self.start()
        yield
        self.is_hit = not self.ec2.faults.are_pending()
        self.ec2.faults.clear()

    def api_reply_lost(self) -> Iterator[None]:
        self.ec2.faults.lose_reply("*", when=Step(self.random.randint(1, 8)))
        self.start()
        yield
        self.is_hit = not self.ec2.faults.are_pending()
        self.ec2.faults.clear()

    def clock_step(self) -> Iterator[None]:
        self.home.run(["date", "--set", self.random.choice(["+3 hours", "-3 hours", "+40 days"])])
        self.start()
        yield
        self.home.run(["date", "--set", f"@{time.time():.3f}"])

    def volume_full(self) -> Iterator[None]:
        self.with_pool(lambda machine: fill(machine, "vault"))
        self.start()
        yield
        self.settle()
        self.with_pool(lambda machine: zfs(machine, "destroy", "vault/fill"))

    def source_full(self) -> Iterator[None]:
        fill(self.home, "tank")
        self.start()
        yield
        zfs(self.home, "destroy", "tank/fill")

    def with_pool(self, work: Callable[[Vm], object]) -> None:
        woken = self.archiver.run("wake", "archiver")
        machine = self.instance()
        if woken.code != 0 or machine is None:
            raise CommandFailed(woken, "home")
        work(machine)
        self.archiver.run("sleep", "--now", "archiver")
        self.settle()

    def end(self) -> Tally:
        """Looks for everything that was called arrived."""
        listed = self.archiver.ssh("archiver", f"zfs list -H -r -t snapshot -o guid {TARGET}")
        if listed.code != 0:
            raise CommandFailed(listed, "home")
        self.tally.arrived = len(self.arrived)
        self.tally.lost = len(self.arrived - set(listed.stdout.split()))
        self.tally.instances = len(self.ec2.instances())
        self.tally.seconds = time.monotonic() - self.began
        self.settle()
        return self.tally


def fill(machine: Vm, pool: str) -> None:
    """Leaves next to nothing free, without writing anything."""
    free = int(value(machine, "available", pool))
    zfs(machine, "create", "-o", f"reservation={free - MIB}", f"{pool}/fill")


def prepared(running: Lab, archiver: Sleeper) -> None:
    for dataset in (SOURCE, f"{SOURCE}/a", f"{SOURCE}/a/b"):
        zfs(running.home, "create", dataset)
    zfs(running.home, "create", "-V", "16M", f"{SOURCE}/volume")
    archiver.generate()
    archiver.install()
    archiver.up()


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.lab soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args(arguments)
    print(f"soak: {asked.minutes:.0f} minutes, --seed {asked.seed}", flush=True)
    with lab.opened() as running, tempfile.TemporaryDirectory(prefix="dormouse-soak-") as name:
        running.make_pools()
        with sleeper.clouded(running, Path(name) / "ec2") as cloud:
            archiver = Sleeper(running, Path(name), REPLICATION, cloud=cloud)
            prepared(running, archiver)
            soak = Soak(archiver, asked.seed)
            while time.monotonic() - soak.began < asked.minutes * 60:
                soak.round()
            tally = soak.end()
    print(f"\n{tally.table()}")
    return 0 if tally.is_clean() else 1
