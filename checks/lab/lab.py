"""Two machines with a pool each, on a network of their own."""

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from checks.lab import backend, disk, evidence, network, owner, process
from checks.lab.disk import Disk
from checks.lab.network import Network
from checks.lab.pool import Pool
from checks.lab.process import CommandFailed
from checks.lab.vm import Vm

DISK_SIZE = 8 << 30
NUMBERS = {"home": 10, "archiver": 20}
Each = TypeVar("Each")
Came = TypeVar("Came")
TOOLS = {
    "ip": "iproute2",
    "bridge": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mkfs.ext4": "e2fsprogs",
}


class Lab:
    """What a test works with: `home`, `archiver`, their pools and their network."""

    def __init__(self, network: Network, folder: Path, key: Path) -> None:
        self.network = network
        self.folder = folder
        self.home = Vm("home", NUMBERS["home"], network, folder / "home", key)
        self.archiver = Vm("archiver", NUMBERS["archiver"], network, folder / "archiver", key)
        self.pools: list[Pool] = []
        self._counter = itertools.count(1)

    @property
    def machines(self) -> list[Vm]:
        return [self.home, self.archiver]

    def power_on(self) -> None:
        """Starts both machines at once and waits for both."""
        power_on(*self.machines)

    def restore(self) -> None:
        """Undoes what a test did to the machines and the network."""
        self.restore_network()
        for machine, answers in zip(self.machines, side_by_side(Vm.answers, self.machines), strict=True):
            if not answers:
                machine.kill()
        power_on(*(machine for machine in self.machines if not machine.is_alive))
        side_by_side(Vm.clean, self.machines)

    def make_pools(self) -> None:
        """Gives each machine an empty pool: `tank` at home, `vault` at the archiver.

        A kernel that has not quite let go of the pool of that name before does so in a restarted
        machine; one such refusal must not be that of all tests after it.
        """
        try:
            self._make_pools()
        except CommandFailed as error:
            print(f"lab: {error}; once more, in restarted machines", flush=True)
            side_by_side(Vm.reset, self.machines)
            self.remove_pools()
            self._make_pools()

    def _make_pools(self) -> None:
        pools = [self.new_pool(self.home, "tank"), self.new_pool(self.archiver, "vault")]
        side_by_side(Pool.create, pools)

    def make_pool(self, machine: Vm, name: str) -> Pool:
        pool = self.new_pool(machine, name)
        pool.create()
        return pool

    def new_pool(self, machine: Vm, name: str) -> Pool:
        """One that is still to be created."""
        pool = Pool(machine, name, self.make_disk(name))
        self.pools.append(pool)
        return pool

    def make_disk(self, name: str) -> Disk:
        return disk.make_disk(self.folder, f"{name}-{next(self._counter):04}", DISK_SIZE)

    def remove_pools(self, keep_in: Path | None = None) -> None:
        """Takes all pools out of the machines; their images go or are kept."""
        on = {machine: [pool for pool in self.pools if pool.vm is machine] for machine in self.machines}
        elsewhere = [pool for pool in self.pools if pool.vm not in on]
        side_by_side(remove_all, [*on.values(), elsewhere])
        for pool in self.pools:
            if keep_in:
                process.run(["cp", "--sparse=always", "--reflink=auto", str(pool.disk.path), str(keep_in)])
            pool.disk.path.unlink()
        self.pools.clear()

    def cut_network(self) -> None:
        """Nothing gets from one machine to another; the controller reaches all."""
        for machine in self.machines:
            self.network.isolate(machine.tap, True)

    def restore_network(self) -> None:
        for machine in self.machines:
            self.network.isolate(machine.tap, False)

    def sent(self, machine: Vm) -> int:
        """How many bytes a machine has sent to anybody since it was started."""
        return self.network.sent(machine.tap)

    @contextmanager
    def rate_limit(self, machine: Vm, rate: str) -> Iterator[None]:
        """What a machine sends is slowed, so that a transfer can be hit midway."""
        limit = ["tbf", "rate", rate, "burst", "64kb", "latency", "100ms"]
        machine.run(["tc", "qdisc", "replace", "dev", "eth0", "root", *limit])
        try:
            yield
        finally:
            if machine.is_alive:
                machine.run(["tc", "qdisc", "delete", "dev", "eth0", "root"], check=False)

    def close(self) -> None:
        for machine in self.machines:
            machine.kill()


def side_by_side(work: Callable[[Each], Came], each: Sequence[Each]) -> list[Came]:
    """The machines wait much, for their disks and their services; so both do it at once."""
    with ThreadPoolExecutor() as threads:
        return list(threads.map(work, each))


def remove_all(pools: list[Pool]) -> None:
    for pool in pools:
        pool.remove()


def power_on(*machines: Vm) -> None:
    """Starts machines side by side and waits for all of them."""
    image = backend.get().image()
    for machine in machines:
        machine.power_on(image)
    for machine in machines:
        machine.begin_wake()
    for machine in machines:
        machine.wait_ready()


@contextmanager
def opened() -> Iterator[Lab]:
    """A running lab; everything that it made is gone afterwards."""
    check_tools()
    owner.sweep()
    chosen = backend.get()
    chosen.saved(chosen.image())
    name = owner.new_name()
    folder = owner.folders() / name
    folder.mkdir(mode=0o700)
    try:
        with network.opened(name) as net:
            lab = Lab(net, folder, make_key(folder))
            try:
                start(lab)
                yield lab
            finally:
                lab.close()
    finally:
        shutil.rmtree(folder)


def start(lab: Lab) -> None:
    """Powers the machines on; what they said is kept if they do not come up."""
    try:
        lab.power_on()
    except Exception:
        print(f"lab: logs are kept in {evidence.collect('power-on', lab.machines)}")
        raise


def check_tools() -> None:
    """Refuses at once what would fail later, with the way out."""
    needed = TOOLS | backend.get().tools
    missing = [tool for tool in needed if not shutil.which(tool)]
    if missing:
        packages = " ".join(sorted({needed[tool] for tool in missing}))
        raise SystemExit(f"lab: not installed: {' '.join(missing)}: run apt-get install {packages}")


def make_key(folder: Path) -> Path:
    """The key with which the controller enters the machines of one lab."""
    key = folder / "controller"
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "controller", "-f", str(key)])
    return key
