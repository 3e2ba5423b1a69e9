"""One machine of the lab: a QEMU process and the way into it."""

import secrets
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.lab import machine, process, saved_state
from checks.lab.agent import Agent, AgentError
from checks.lab.image import Image
from checks.lab.machine import Backends
from checks.lab.network import CONTROLLER, Network
from checks.lab.process import Result
from checks.lab.qmp import Qmp, QmpError
from checks.lab.remote import Remote, Running

WAKE_TIMEOUT = 120
IDENTITY = Path(__file__).parent / "guest" / "identity"
CLEAN = Path(__file__).parent / "guest" / "clean"


class MachineEnded(Exception):
    """A machine's QEMU is no longer there."""


@dataclass(frozen=True)
class Disk:
    """A sparse file that can be plugged into a machine; it stays when that ends."""

    path: Path
    serial: str

    @property
    def device(self) -> str:
        return f"/dev/disk/by-id/virtio-{self.serial}"


def make_disk(folder: Path, serial: str, size: int) -> Disk:
    """Makes an empty disk. A virtio serial number holds 20 bytes."""
    assert len(serial) <= 20, serial
    disk = Disk(folder / f"{serial}.img", serial)
    with disk.path.open("xb") as file:
        file.truncate(size)
    return disk


class Vm:
    """One machine. It starts with a clean root disk every time."""

    is_instance = False

    def __init__(self, name: str, number: int, network: Network, folder: Path, key: Path) -> None:
        self.name = name
        self.number = number
        self.address = f"10.77.0.{number}"
        self.folder = folder
        self._network = network
        self._key = key
        self._image: Image | None = None
        self._qemu: subprocess.Popen[bytes] | None = None
        self._qmp: Qmp | None = None
        self._agent: Agent | None = None
        self._waking: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {}
        folder.mkdir()
        self.tap = network.add_tap(name)
        self._remote = Remote(network, folder, name, self.address, key)

    def power_on(self, image: Image, *, wake: bool = True) -> None:
        """Starts QEMU and returns at once; `wait_ready` waits for the guest."""
        self._image = image
        backends = self._backends(image, wake)
        argv = self._network.inside(machine.argv(image, backends))
        for socket in (backends.qmp, backends.agent):
            socket.unlink(missing_ok=True)
        with (self.folder / "qemu.log").open("ab") as log:
            self._qemu = process.start(argv, stdout=log, stderr=log)
        self._qmp = Qmp(backends.qmp)
        self._agent = Agent(backends.agent)
        self._ports.clear()

    def begin_wake(self) -> None:
        """Lets a machine that was powered on run, and tells it who it is.

        The guest in the saved state listens, so this does not wait for it.
        """
        self._let_run(WAKE_TIMEOUT)
        self.agent.begin(self._identity())
        self._waking = self._qemu

    def wait_ready(self) -> None:
        """Waits until the guest takes commands; boots it when it does not wake."""
        try:
            if self._waking is not self._qemu:
                self.begin_wake()
            self.agent.finish(WAKE_TIMEOUT)
            self._remote.connect(WAKE_TIMEOUT)
        except (AgentError, QmpError, OSError) as error:
            assert self._image is not None
            print(f"lab: {self.name} did not wake from the saved state ({error}): booting it")
            self.kill()
            self.power_on(self._image, wake=False)
            self._wake(saved_state.BOOT_TIMEOUT)

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 120, check: bool = True
    ) -> Result:
        """Runs a command in the guest as root."""
        self._require_alive()
        try:
            return self._remote.run(argv, stdin=stdin, timeout=timeout, check=check)
        except process.CommandFailed:
            self._require_alive()
            raise

    def start(self, argv: Sequence[str]) -> Running:
        """Starts a command in the guest and returns while it runs."""
        self._require_alive()
        return self._remote.start(argv)

    def put(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Writes a file in the guest, with its folders."""
        self.run(["install", "-D", "-m", f"{mode:o}", "/dev/stdin", path], stdin=content)

    def get(self, path: str) -> bytes:
        """Reads a file in the guest."""
        return self.run(["cat", path]).out

    def answers(self) -> bool:
        """Whether the guest takes commands; a restart may have gone wrong."""
        try:
            return self.run(["true"], timeout=30, check=False).code == 0
        except (process.CommandFailed, MachineEnded):
            return False

    def clean(self) -> None:
        """Ends what a test left running and removes what it left lying."""
        self.run(["sh", "-s"], stdin=CLEAN.read_bytes())

    def has(self, disk: Disk) -> bool:
        return self.is_alive and disk.serial in self._ports

    def attach(self, disk: Disk) -> None:
        """Plugs a disk in and waits until the guest has it."""
        serial = disk.serial
        port = next(n for n in range(machine.PORTS) if n not in self._ports.values())
        file = {"driver": "file", "filename": str(disk.path)}
        cache = {"direct": False, "no-flush": True}
        node = f"node-{serial}"
        self.qmp("blockdev-add", driver="raw", node_name=node, file=file, cache=cache)
        plugged = {"driver": "virtio-blk-pci", "id": f"disk-{serial}", "bus": f"port{port}"}
        self.qmp("device_add", **plugged, drive=node, serial=serial)
        self._ports[serial] = port
        self.run(["udevadm", "wait", "--settle", "--timeout=30", disk.device])

    def detach(self, disk: Disk) -> None:
        """Pulls a disk out. QEMU reports parts first, then the device itself."""
        self.qmp("device_del", id=f"disk-{disk.serial}")
        self.qmp.wait_event("DEVICE_DELETED", 30, device=f"disk-{disk.serial}")
        self._forget_node(f"node-{disk.serial}")
        del self._ports[disk.serial]

    def reboot(self) -> None:
        """Restarts the guest in good order; its disks stay as they are."""
        self.qmp.forget_events()
        self.run(["systemctl", "reboot"], check=False)
        self._restarted()

    def reset(self) -> None:
        """Restarts the guest as a power cut does; its disks stay as they are."""
        self.qmp.forget_events()
        self.qmp("system_reset")
        self._restarted()

    def kill(self) -> None:
        """Ends the machine at once; its root disk is lost, its other disks stay."""
        for connection in (self._qmp, self._agent):
            if connection is not None:
                connection.close()
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait()
        self._remote.close()

    @property
    def is_alive(self) -> bool:
        return self._qemu is not None and self._qemu.poll() is None

    @property
    def qmp(self) -> Qmp:
        self._require_alive()
        assert self._qmp is not None
        return self._qmp

    @property
    def agent(self) -> Agent:
        self._require_alive()
        assert self._agent is not None
        return self._agent

    def ssh_command(self) -> list[str]:
        """What a person types on this computer to look around in the guest."""
        return self._remote.command([])[:-2]

    def _backends(self, image: Image, wake: bool) -> Backends:
        if not wake:
            return Backends(self.folder, self.tap, image.root)
        state = saved_state.get(image)
        return Backends(self.folder, self.tap, state.root, wake_from=state.memory)

    def _let_run(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self.qmp("query-status")["status"] == "inmigrate":
            if time.monotonic() > deadline:
                raise QmpError("the saved state is not read in time")
            time.sleep(0.02)
        self.qmp("cont")

    def _wake(self, timeout: float) -> None:
        """Waits for a guest that may still have to boot."""
        self._let_run(timeout)
        self._introduce(timeout)

    def _restarted(self) -> None:
        self.qmp.wait_event("RESET", 120)
        self._remote.close()
        self._introduce(saved_state.BOOT_TIMEOUT)

    def _introduce(self, timeout: float) -> None:
        """Tells the guest who it is, then connects."""
        # The clock is part of what it is told, so tell it when it listens.
        self.agent.run(":", timeout)
        self.agent.run(self._identity(), timeout)
        self._remote.connect(timeout)

    def _identity(self) -> str:
        """A script that makes the guest this machine and no other."""
        variables = {
            "CLOCK": f"{time.time():.3f}",
            "RANDOM_SEED": secrets.token_hex(32),
            "NAME": self.name,
            "HOSTID": f"{0x77000000 + self.number:08x}",
            "MAC": f"52:54:00:77:00:{self.number:02x}",
            "ADDRESS": self.address,
            "INSTANCE": "yes" if self.is_instance else "no",
            "GATEWAY": CONTROLLER,
            "CONTROLLER_KEY": self._key.with_suffix(".pub").read_text().strip(),
        }
        lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
        return "\n".join([*lines, IDENTITY.read_text()])

    def _forget_node(self, node: str) -> None:
        """Closes the disk's file; QEMU may hold it for a moment longer."""
        for _ in range(100):
            try:
                self.qmp("blockdev-del", node_name=node)
                return
            except QmpError:
                time.sleep(0.02)
        self.qmp("blockdev-del", node_name=node)

    def _require_alive(self) -> None:
        if not self.is_alive:
            code = self._qemu.returncode if self._qemu else None
            log = (self.folder / "qemu.log").read_text() if self._qemu else ""
            raise MachineEnded(f"{self.name}: QEMU is not running (exit {code}): {log[-500:]}")
