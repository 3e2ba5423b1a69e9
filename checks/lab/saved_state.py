"""A booted guest, saved once, so that machines wake in a second instead of booting.

It is saved before it has a name, keys or addresses: every machine that wakes
from it is told who it is (see vm.py).
"""

import hashlib
import shlex
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from checks.lab import cache, machine, network, owner, process
from checks.lab.agent import Agent
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
    process.run(["cp", "--sparse=always", "--reflink=auto", str(image.root), str(state.root)])
    name = owner.new_name()
    sockets = owner.folders() / name
    sockets.mkdir(mode=0o700)
    try:
        with network.opened(name) as net:
            backends = Backends(sockets, net.add_tap("saved"), state.root, keep_root=True)
            qemu = process.start(net.inside(machine.argv(image, backends)))
            # It stays connected, so that the saved agent is one that listens.
            guest = Agent(backends.agent)
            guest.run(SETTLE, BOOT_TIMEOUT)
            save(Qmp(backends.qmp), state.memory)
            guest.close()
            qemu.wait(timeout=60)
    finally:
        shutil.rmtree(sockets)


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
