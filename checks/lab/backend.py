"""What runs guests: QEMU or User Mode Linux, behind one interface.

QEMU runs what users run, a distribution's kernel with its ZFS, and emulates the
processor where KVM does not work. User Mode Linux (UML) is Linux built as a
program, with OpenZFS inside: it starts in seconds and runs ZFS several times
faster, but it is not a kernel that users have.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from checks.lab.agent import Agent
from checks.lab.disk import Disk
from checks.lab.image import Image

CHOICE = "DORMOUSE_LAB_BACKEND"


class BackendError(Exception):
    """A backend did not do what it was asked."""


@dataclass(frozen=True)
class SavedState:
    """The memory of a booted guest, and the disk that belongs to it."""

    root: Path
    memory: Path


@dataclass(frozen=True)
class Wiring:
    """What a guest is connected to on the outside; the guest sees none of it."""

    folder: Path
    tap: str
    root: Path
    # Runs a command line in the guest's network.
    inside: Callable[[Sequence[str]], list[str]]
    # Otherwise the guest writes to a layer that goes with it.
    keep_root: bool = False
    wake_from: SavedState | None = None
    # Kernel arguments: a guest that boots as an instance of EC2 has `lab.ec2=…`.
    arguments: str = ""
    # Spreads guests over the computer's processors.
    number: int = 0

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def log(self) -> Path:
        """What the program that runs the guest says."""
        return self.folder / "backend.log"


class Guest(Protocol):
    """A guest that was started, seen from outside. Its disks are those that were attached."""

    agent: Agent

    @property
    def program(self) -> subprocess.Popen[bytes]:
        """The program that runs the guest now; some backends start another for a restart."""

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or is about to boot again after it was asked to restart."""

    def let_run(self, timeout: float) -> None:
        """Lets a guest run that waits for it, as one that wakes from a saved state does."""

    def attach(self, disk: Disk) -> None: ...

    def detach(self, disk: Disk) -> None: ...

    def has(self, disk: Disk) -> bool: ...

    def grow(self, disk: Disk, size: int) -> None:
        """Shows the guest the new size, in bytes, of a disk that it has."""

    def reset(self) -> None:
        """Restarts the guest as a power cut does."""

    def reboot(self, ask: Callable[[], object]) -> None:
        """Returns once a guest that was asked to restart is about to boot again."""

    def halt(self, ask: Callable[[], object]) -> None:
        """Has the guest shut down for a restart; it boots again at `go_on`."""

    def go_on(self) -> None: ...

    def pause(self) -> None: ...

    def unpause(self) -> None: ...

    def freeze_root(self, spare: Path) -> tuple[Path, Path]:
        """Freezes the root disk as it is now. Returns the frozen disk, and the one that the guest
        writes to from now on; one of both is new, at the spare path."""

    def kill(self) -> None:
        """Ends the guest for good, from any thread."""

    def close(self) -> None:
        """Kills the guest, waits for its end, and closes what is open to it."""


class Backend(Protocol):
    """A way to run guests."""

    name: str
    # For people.
    label: str
    # Programs that it needs on this computer, and the packages that have them.
    tools: dict[str, str]
    # A new guest's clock shows the time at which its state was saved.
    sets_clock: bool
    # The suffix of the root disks of instances.
    suffix: str

    def image(self) -> Image:
        """The image of the lab's recipe, built first if need be."""

    def is_built(self) -> bool:
        """Whether the image is there."""

    def saved(self, image: Image) -> SavedState | None:
        """The saved state of a booted image; None where every guest boots."""

    def save(self, image: Image, new_root: Callable[[], Path], memory: Path) -> SavedState | None:
        """Boots a new root disk once and saves its state; None where every guest boots."""

    def new_root(self, base: Path, path: Path) -> None:
        """Makes an instance's root disk, which begins with what the base holds and leaves that alone."""

    def frozen_copy(self, root: Path, spare: Path) -> tuple[Path, Path]:
        """`Guest.freeze_root` for a guest that is off."""

    def start(self, image: Image, wiring: Wiring) -> Guest:
        """Starts a guest and returns at once."""


def get() -> Backend:
    """The backend that DORMOUSE_LAB_BACKEND names; without it, the faster one of those that are built."""
    backends, name = known(), os.environ.get(CHOICE)
    if not name:
        name = next((b.name for b in backends.values() if b.is_built()), "qemu")
        # The processes that this one starts use the same.
        os.environ[CHOICE] = name
    if name not in backends:
        raise SystemExit(f"lab: {CHOICE}={name}: the backends are {' and '.join(backends)}")
    return backends[name]


def known() -> "dict[str, Backend]":
    """All backends, the fastest first."""
    from checks.lab import qemu, uml

    return {"uml": uml.BACKEND, "qemu": qemu.BACKEND}
