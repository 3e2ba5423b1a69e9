"""Guests in User Mode Linux: they boot in seconds, and run ZFS several times faster than emulated ones.

kernel       Linux as a program, with OpenZFS built in
guest_image  the guest's disk for it
command_line what the guest sees, and where it is connected
mconsole     talks to a running guest's kernel
layer        copy-on-write files, made whole
guest        one guest: start, kill, restart, disks

What it lacks: a disk cannot be pulled while a pool uses it, and does not grow while it is in use.
"""

from collections.abc import Callable
from pathlib import Path

from checks.lab import image
from checks.lab.backend import Guest, SavedState, Wiring
from checks.lab.image import Image
from checks.lab.uml import guest
from checks.lab.uml import guest_image
from checks.lab.uml.guest import UmlGuest


class Uml:
    name = "uml"
    label = "User Mode Linux"
    tools = {"taskset": "util-linux", "bash": "bash"}
    sets_clock = False
    suffix = ".layer"

    def image(self) -> Image:
        return image.get(guest_image.recipe())

    def is_built(self) -> bool:
        return image.place(guest_image.recipe()).is_dir()

    def saved(self, image: Image) -> SavedState | None:
        return None

    def save(self, image: Image, new_root: Callable[[], Path], memory: Path) -> SavedState | None:
        return None

    def new_root(self, base: Path, path: Path) -> None:
        guest.new_root(base, path)

    def frozen_copy(self, root: Path, spare: Path) -> tuple[Path, Path]:
        return guest.frozen_copy(root, spare)

    def start(self, image: Image, wiring: Wiring) -> Guest:
        return UmlGuest(image, wiring)


BACKEND = Uml()
