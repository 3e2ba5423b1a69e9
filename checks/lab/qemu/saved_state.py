"""A booted guest, saved once, so that machines wake in a second instead of booting.

It is saved before it has a name, keys or addresses: every machine that wakes
from it is told who it is (see vm.py).
"""

import hashlib
import shlex
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from checks.lab import cache, network, owner, process
from checks.lab.agent import AgentError
from checks.lab.backend import SavedState, Wiring
from checks.lab.image import Image
from checks.lab.qemu import command_line
from checks.lab.qemu.guest import QemuGuest
from checks.lab.qemu.qmp import Qmp, QmpError

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


def get(image: Image) -> SavedState:
    """The saved state of this image on this QEMU and processor."""
    target = image.path / f"state-{key(image)}"
    return of(cache.build_once(target, partial(build, image), "state"))


def of(folder: Path) -> SavedState:
    return SavedState(folder / "root.img", folder / "memory")


def key(image: Image) -> str:
    """All that must be the same for a saved state to wake."""
    version = process.run(["qemu-system-x86_64", "--version"]).stdout
    cpuinfo = Path("/proc/cpuinfo").read_text()
    cpu = cpuinfo.partition("\n\n")[0] if command_line.has_kvm(cpuinfo) else ""
    model = [line for line in cpu.splitlines() if line.startswith(("model name", "flags"))]
    parts = [*command_line.hardware(image), version, SETTLE, *model]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def build(image: Image, folder: Path) -> None:
    """Boots the image once and saves it."""
    print("lab: saving the state of a booted machine; about half a minute", flush=True)
    state = of(folder)

    def copy() -> Path:
        process.run(["cp", "--sparse=always", "--reflink=auto", str(image.root), str(state.root)])
        return state.root

    boot_and_save(image, copy, state.memory)


def boot_and_save(image: Image, new_root: Callable[[], Path], memory: Path) -> SavedState:
    """Boots a disk once, alone on a network, before it is told who it is.

    An emulated processor that hangs in a boot is rare; it gets a second chance, on a new disk.
    The thread that calls this must live until it returns.
    """
    try:
        return _boot_and_save(image, new_root(), memory)
    except AgentError as error:
        print(f"lab: {error}; booting it again", flush=True)
        return _boot_and_save(image, new_root(), memory)


def _boot_and_save(image: Image, root: Path, memory: Path) -> SavedState:
    name = owner.new_name()
    sockets = owner.folders() / name
    sockets.mkdir(mode=0o700)
    try:
        with network.opened(name) as alone:
            wiring = Wiring(sockets, alone.add_tap("saved"), root, alone.inside, keep_root=True)
            # It stays connected, so that the saved agent is one that listens.
            guest = QemuGuest(image, wiring)
            try:
                guest.agent.run(SETTLE, BOOT_TIMEOUT)
                save(guest.qmp, memory)
                guest.program.wait(timeout=60)
            except AgentError:
                print(f"lab: the end of its console:\n{last_lines(wiring.console)}", flush=True)
                raise
            finally:
                guest.close()
    finally:
        shutil.rmtree(sockets)
    return SavedState(root, memory)


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
