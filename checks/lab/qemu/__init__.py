"""Guests in QEMU: a distribution's kernel and ZFS, as users have them, on an emulated processor.

guest_image  the distribution's kernel, unpacked, and an initrd of ours
qmp          talks to a running QEMU
command_line what the guest sees, and where it is connected
guest        one guest: start, kill, restart, disks
saved_state  a booted guest, frozen once, that every machine wakes from
"""

from collections.abc import Callable
from pathlib import Path

from checks.lab import image, process
from checks.lab.backend import Guest, SavedState, Wiring
from checks.lab.image import Image
from checks.lab.qemu import guest_image
from checks.lab.qemu import saved_state
from checks.lab.qemu.guest import QemuGuest


class Qemu:
    name = "qemu"
    label = "QEMU"
    tools = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils"}
    sets_clock = True
    suffix = ".qcow2"

    def image(self) -> Image:
        return image.get(guest_image.recipe())

    def is_built(self) -> bool:
        return image.place(guest_image.recipe()).is_dir()

    def saved(self, image: Image) -> SavedState | None:
        return saved_state.get(image)

    def save(self, image: Image, new_root: Callable[[], Path], memory: Path) -> SavedState | None:
        return saved_state.boot_and_save(image, new_root, memory)

    def new_root(self, base: Path, path: Path) -> None:
        """An overlay: what is not written to it is read from its base."""
        layout = "qcow2" if base.suffix == ".qcow2" else "raw"
        process.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", layout, "-b", str(base), str(path)])

    def frozen_copy(self, root: Path, spare: Path) -> tuple[Path, Path]:
        self.new_root(root, spare)
        return root, spare

    def start(self, image: Image, wiring: Wiring) -> Guest:
        return QemuGuest(image, wiring)


BACKEND = Qemu()
