"""A guest in User Mode Linux: one process until its next restart, controlled over its management console."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from checks.lab import process
from checks.lab.agent import Agent
from checks.lab.backend import BackendError, Wiring
from checks.lab.disk import Disk
from checks.lab.image import Image
from checks.lab.uml import command_line, layer
from checks.lab.uml.mconsole import ask

# Of 16 disks that the driver knows, the first is the root disk.
SLOTS = range(1, 16)
STOP_TIMEOUT = 120


class UmlGuest:
    """Its disks are those of its command line and those that were plugged in since."""

    def __init__(self, image: Image, wiring: Wiring) -> None:
        self._image = image
        self._wiring = wiring
        self._disks: dict[str, Disk] = {}
        self._slots: dict[str, int] = {}
        self._is_over = False
        # Between two processes, it is not off.
        self._is_restarting = False
        self._lock = threading.Lock()
        if not wiring.keep_root:
            self._root.unlink(missing_ok=True)
            layer.create(self._root, wiring.root)
        self._start()

    @property
    def _root(self) -> Path:
        return command_line.root(self._wiring)

    @property
    def program(self) -> subprocess.Popen[bytes]:
        return self._program

    @property
    def is_alive(self) -> bool:
        return not self._is_over and (self._is_restarting or self._program.poll() is None)

    def let_run(self, timeout: float) -> None:
        """It has been running since it was started."""

    def attach(self, disk: Disk) -> None:
        slot = next(n for n in SLOTS if n not in self._slots.values())
        self._ask(f"config ubd{slot}={command_line.plugged(disk)}")
        self._disks[disk.serial], self._slots[disk.serial] = disk, slot

    def detach(self, disk: Disk) -> None:
        self._ask(f"remove ubd{self._slots[disk.serial]}")
        del self._disks[disk.serial], self._slots[disk.serial]

    def has(self, disk: Disk) -> bool:
        return disk.serial in self._slots

    def grow(self, disk: Disk, size: int) -> None:
        raise BackendError("User Mode Linux does not show a guest that its disk has grown: this takes QEMU")

    def reset(self) -> None:
        self._is_restarting = True
        self._end()
        self.go_on()

    def reboot(self, ask: Callable[[], object]) -> None:
        self.halt(ask)
        self.go_on()

    def halt(self, ask: Callable[[], object]) -> None:
        self._is_restarting = True
        ask()
        self._program.wait(STOP_TIMEOUT)
        self._end()

    def go_on(self) -> None:
        self._start()
        self._is_restarting = False

    def pause(self) -> None:
        os.kill(self._program.pid, signal.SIGSTOP)

    def unpause(self) -> None:
        os.kill(self._program.pid, signal.SIGCONT)

    def freeze_root(self, spare: Path) -> tuple[Path, Path]:
        """The guest goes on where it was; the copy is frozen."""
        is_running = self._program.poll() is None
        if is_running:
            self.pause()
        try:
            return frozen_copy(self._wiring.root, spare)
        finally:
            if is_running:
                self.unpause()

    def kill(self) -> None:
        with self._lock:
            self._is_over = True
            self._kill()

    def close(self) -> None:
        self.kill()
        self._end()
        if not self._wiring.keep_root:
            self._root.unlink(missing_ok=True)

    def _start(self) -> None:
        """Starts a process with the disks that are plugged in, unless the guest is over."""
        ours, theirs = socket.socketpair()
        shutil.rmtree(self._wiring.folder / command_line.UMID, ignore_errors=True)
        (self._wiring.folder / "memory").mkdir(exist_ok=True)
        argv = command_line.argv(self._image, self._wiring, self._slots, self._disks, theirs.fileno())
        with self._lock, theirs, self._wiring.log.open("ab") as log, self._wiring.console.open("ab") as console:
            if self._is_over:
                raise BackendError("the guest was ended")
            self._program = process.start(argv, stdout=console, stderr=log, keep=[theirs.fileno()])
        self.agent = Agent(ours, expected=True)

    def _end(self) -> None:
        self._kill()
        self._program.wait()
        self.agent.close()

    def _kill(self) -> None:
        """Ends the kernel and the processes that it traces, which it leads."""
        if self._program.poll() is None:
            self._program.kill()

    def _ask(self, command: str) -> None:
        ask(self._wiring.folder / command_line.UMID / "mconsole", command)


def new_root(base: Path, path: Path) -> None:
    layer.create(path, base)


def frozen_copy(root: Path, spare: Path) -> tuple[Path, Path]:
    """A whole disk, beside the spare path of a layer; the guest keeps its own."""
    frozen = spare.with_suffix(".img")
    if root.suffix == ".layer":
        layer.flatten(root, frozen)
    else:
        layer.copy(root, frozen)
    return frozen, root
