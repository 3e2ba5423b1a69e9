"""A booted copy of an image, saved, so that its instances wake instead of booting."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from checks.lab import machine, network, owner, process, saved_state
from checks.lab.agent import Agent
from checks.lab.image import Image
from checks.lab.machine import Backends
from checks.lab.qmp import Qmp


@dataclass(frozen=True)
class ImageState:
    """The memory of the booted guest, and the disk that belongs to it."""

    root: Path
    memory: Path


def save(image: Image, root: Path) -> ImageState:
    """Boots a disk once, to itself: nobody has told it yet who it is.

    The thread that calls this must live until it returns.
    """
    state = ImageState(root, root.with_suffix(".memory"))
    name = owner.new_name()
    sockets = owner.folders() / name
    sockets.mkdir(mode=0o700)
    try:
        with network.opened(name) as alone:
            backends = Backends(sockets, alone.add_tap("saved"), root, keep_root=True)
            argv = on_overlay(machine.argv(image, backends), root)
            qemu = process.start(alone.inside(argv))
            guest = Agent(backends.agent)
            guest.run(saved_state.SETTLE, saved_state.BOOT_TIMEOUT)
            saved_state.save(Qmp(backends.qmp), state.memory)
            guest.close()
            qemu.wait(timeout=60)
    finally:
        shutil.rmtree(sockets)
    return state


def on_overlay(argv: list[str], root: Path) -> list[str]:
    """The same command line, for a root disk in another format."""
    drive = argv.index("-drive") + 1
    assert machine.escaped(root) in argv[drive]
    return [*argv[:drive], argv[drive].replace("format=raw", "format=qcow2", 1), *argv[drive + 1 :]]
