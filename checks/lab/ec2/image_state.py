"""A booted copy of an image, saved, so that its instances wake instead of booting."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from checks.lab import machine, saved_state
from checks.lab.image import Image
from checks.lab.machine import Backends


@dataclass(frozen=True)
class ImageState:
    """The memory of the booted guest, and the disk that belongs to it."""

    root: Path
    memory: Path


def save(image: Image, new_root: Callable[[], Path], memory: Path) -> ImageState:
    """Boots a disk that has become an image."""

    def argv(backends: Backends) -> list[str]:
        return on_overlay(machine.argv(image, backends), backends.root)

    return ImageState(saved_state.boot_and_save(argv, new_root, memory), memory)


def on_overlay(argv: list[str], root: Path) -> list[str]:
    """The same command line, for a root disk in another format."""
    drive = argv.index("-drive") + 1
    assert machine.escaped(root) in argv[drive]
    return [*argv[:drive], argv[drive].replace("format=raw", "format=qcow2", 1), *argv[drive + 1 :]]
