"""A booted guest, saved once, so that machines wake in a second instead of booting.

It is saved before it has a name, keys or addresses: every machine that wakes
from it is told who it is (see vm.py).
"""

import hashlib
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from checks.lab import cache, machine, network, owner, process
from checks.lab.agent import Agent, AgentError
from checks.lab.image import Image
from checks.lab.machine import Backends
from checks.lab.qmp import Qmp, QmpError

BOOT_TIMEOUT = 240
# Waits until the boot is over, then runs what tests run, so that the saved
# memory already holds those programs. ZFS is unloaded again: its module draws
# GUIDs from a generator of its own that is seeded when it is loaded, so guests
# that woke with it would give different pools and snapshots the same GUIDs.
SETTLE = """
systemctl is-system-running --wait
modprobe zfs
zfs list; zpool list; zfs version
ssh-keygen -q -t ed25519 -N '' -f /run/warm && ssh-keygen -y -f /run/warm && rm -f /run/warm*
ssh -V; sshd -t; udevadm settle
sync
modprobe -r zfs
"""


@dataclass(frozen=True)
class SavedState:
    """The memory of the saved guest, and the disk that belongs to it."""

    path: Path

    @property
    def root(self) -> Path:
        return self.path / "root.img"

    @property
    def memory(self) -> Path:
        return self.path / "memory"


def get(image: Image) -> SavedState:
    """The saved state of this image on this QEMU and processor."""
    target = image.path / f"state-{key(image)}"
    return SavedState(cache.build_once(target, partial(build, image), "state"))


def key(image: Image) -> str:
    """All that must be the same for a saved state to wake."""
    version = process.run(["qemu-system-x86_64", "--version"]).stdout
    cpuinfo = Path("/proc/cpuinfo").read_text()
    cpu = cpuinfo.partition("\n\n")[0] if machine.has_kvm(cpuinfo) else ""
    model = [line for line in cpu.splitlines() if line.startswith(("model name", "flags"))]
    parts = [*machine.hardware(image), version, SETTLE, *model]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def build(image: Image, folder: Path) -> None:
    """Boots the image once and saves it."""
    print("lab: saving the state of a booted machine; about half a minute", flush=True)
    state = SavedState(folder)

    def copy() -> Path:
        process.run(["cp", "--sparse=always", "--reflink=auto", str(image.root), str(state.root)])
        return state.root

    boot_and_save(partial(machine.argv, image), copy, state.memory)


def boot_and_save(argv: Callable[[Backends], list[str]], new_root: Callable[[], Path], memory: Path) -> Path:
    """Boots a disk once, to itself: nobody has told it yet who it is. Returns the disk.

    An emulated processor that hangs in a boot is rare; it gets a second chance, on a new disk.
    The thread that calls this must live until it returns.
    """
    try:
        return _boot_and_save(argv, new_root(), memory)
    except AgentError as error:
        print(f"lab: {error}; booting it again", flush=True)
        return _boot_and_save(argv, new_root(), memory)


def _boot_and_save(argv: Callable[[Backends], list[str]], root: Path, memory: Path) -> Path:
    name = owner.new_name()
    sockets = owner.folders() / name
    sockets.mkdir(mode=0o700)
    try:
        with network.opened(name) as alone:
            backends = Backends(sockets, alone.add_tap("saved"), root, keep_root=True)
            qemu = process.start(alone.inside(argv(backends)))
            try:
                # It stays connected, so that the saved agent is one that listens.
                guest = Agent(backends.agent)
                guest.run(SETTLE, BOOT_TIMEOUT)
                save(Qmp(backends.qmp), memory)
                guest.close()
                qemu.wait(timeout=60)
            except AgentError:
                print(f"lab: the end of its console:\n{last_lines(backends.console)}", flush=True)
                raise
            finally:
                qemu.kill()
    finally:
        shutil.rmtree(sockets)
    return root


def last_lines(console: Path, count: int = 40) -> str:
    lines = console.read_text(errors="replace").splitlines() if console.exists() else []
    return "\n".join(lines[-count:])


def save(qmp: Qmp, memory: Path) -> None:
    """Writes the memory of a machine to a file and ends it.

    The machine stops first, so that the disk and the memory are of one moment.
    `exec:` is the one way to a file that all of QEMU 7.2 to 10 have.
    """
    qmp("stop")
    qmp("migrate-set-parameters", max_bandwidth=1 << 40)
    qmp("migrate", uri=f"exec:cat > {shlex.quote(str(memory))}")
    deadline = time.monotonic() + 120
    while (status := qmp("query-migrate")["status"]) != "completed":
        if status in ("failed", "cancelled") or time.monotonic() > deadline:
            raise QmpError(f"saving the state of a machine: {status}")
        time.sleep(0.1)
    qmp("quit")
