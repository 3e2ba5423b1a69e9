"""One machine of the lab: a guest of the chosen backend, and the way into it."""

import secrets
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from checks.lab import backend, process
from checks.lab.agent import Agent, AgentError
from checks.lab.backend import BackendError, Guest, SavedState, Wiring
from checks.lab.disk import Disk
from checks.lab.image import Image
from checks.lab.network import CONTROLLER, Network
from checks.lab.process import Result
from checks.lab.remote import Remote, Running

BOOT_TIMEOUT = 240
WAKE_TIMEOUT = 120
IDENTITY = Path(__file__).parent / "guest" / "identity"
CLEAN = Path(__file__).parent / "guest" / "clean"


class MachineEnded(Exception):
    """The program that runs a machine has ended."""


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
        self._guest: Guest | None = None
        self._is_waking = False
        folder.mkdir()
        self.tap = network.add_tap(name)
        self._remote = Remote(network, folder, name, self.address, key)

    def power_on(self, image: Image, *, wake: bool = True) -> None:
        """Starts the guest and returns at once; `wait_ready` waits for it."""
        self._image = image
        self._is_waking = False
        saved = self._saved(image) if wake else None
        self._guest = backend.get().start(image, self._wiring(image, saved))

    def begin_wake(self) -> None:
        """Lets a machine that was powered on run, and tells it who it is.

        The guest in a saved state listens, so this does not wait for it; without one, it boots first.
        """
        timeout = WAKE_TIMEOUT if backend.get().sets_clock else BOOT_TIMEOUT
        self.guest.let_run(timeout)
        self.agent.begin(self._identity(), timeout)
        self._is_waking = True

    def wait_ready(self) -> None:
        """Waits until the guest takes commands; boots it when it does not wake."""
        try:
            if not self._is_waking:
                self.begin_wake()
            self.agent.finish(WAKE_TIMEOUT)
            self._remote.connect(WAKE_TIMEOUT)
        except (AgentError, BackendError, OSError) as error:
            assert self._image is not None
            print(f"lab: {self.name} did not answer ({error}): booting it")
            self.kill()
            self.power_on(self._image, wake=False)
            self._boot(BOOT_TIMEOUT)

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
        return self._guest is not None and self.is_alive and self._guest.has(disk)

    def attach(self, disk: Disk) -> None:
        """Plugs a disk in and waits until the guest has it."""
        self.guest.attach(disk)
        self.run(["udevadm", "wait", "--settle", "--timeout=30", disk.device])

    def detach(self, disk: Disk) -> None:
        """Pulls a disk out."""
        self.guest.detach(disk)

    def reboot(self) -> None:
        """Restarts the guest in good order; its disks stay as they are."""
        self.guest.reboot(lambda: self.run(["systemctl", "reboot"], check=False))
        self._restarted()

    def reset(self) -> None:
        """Restarts the guest as a power cut does; its disks stay as they are."""
        self.guest.reset()
        self._restarted()

    def kill(self) -> None:
        """Ends the machine at once; its root disk is lost, its other disks stay."""
        if self._guest is not None:
            self._guest.close()
        self._remote.close()

    @property
    def is_alive(self) -> bool:
        return self._guest is not None and self._guest.is_alive

    @property
    def program(self) -> subprocess.Popen[bytes]:
        """The program that runs the machine, for tests that send it signals."""
        return self.guest.program

    @property
    def guest(self) -> Guest:
        self._require_alive()
        assert self._guest is not None
        return self._guest

    @property
    def agent(self) -> Agent:
        return self.guest.agent

    def ssh_command(self) -> list[str]:
        """What a person types on this computer to look around in the guest."""
        return self._remote.command([])[:-2]

    def _saved(self, image: Image) -> SavedState | None:
        return backend.get().saved(image)

    def _wiring(self, image: Image, saved: SavedState | None) -> Wiring:
        root = saved.root if saved else image.root
        return Wiring(self.folder, self.tap, root, self._network.inside, wake_from=saved, number=self._place())

    def _place(self) -> int:
        """The lab's machines have numbers in tens, instances have consecutive ones."""
        return self.number // 10 if self.number < 100 else self.number

    def _boot(self, timeout: float) -> None:
        """Waits for a guest that boots."""
        self.guest.let_run(timeout)
        self._introduce(timeout)

    def _restarted(self) -> None:
        self._remote.close()
        self._introduce(BOOT_TIMEOUT)

    def _introduce(self, timeout: float) -> None:
        """Tells the guest who it is, then connects."""
        # The clock is part of what it is told, so tell it when it listens.
        self.agent.run(":", timeout)
        self.agent.run(self._identity(), timeout)
        self._remote.connect(timeout)

    def _identity(self) -> str:
        """A script that makes the guest this machine and no other."""
        variables = {
            "CLOCK": f"{time.time():.3f}" if backend.get().sets_clock else "",
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

    def _require_alive(self) -> None:
        if not self.is_alive:
            code = self._guest.program.returncode if self._guest else None
            log = self.folder / "backend.log"
            said = log.read_text()[-500:] if log.exists() else ""
            raise MachineEnded(f"{self.name}: its program is not running (exit {code}): {said}")
