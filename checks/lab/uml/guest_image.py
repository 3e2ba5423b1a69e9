"""The image for User Mode Linux: its kernel is a program, with everything built in."""

import os
import shutil
from pathlib import Path

from checks.lab import process
from checks.lab.image import Recipe
from checks.lab.uml import kernel


def recipe() -> Recipe:
    return Recipe("uml", Path(__file__).parent / "recipe", kernel.SUITE, put_kernel, kernel.key())


def put_kernel(tree: Path, folder: Path) -> None:
    """Tells the guest's modprobe that all modules are built in."""
    built = kernel.get()
    os.link(built / "linux", folder / "kernel")
    release = (built / "release").read_text().strip()
    modules = tree / "lib/modules" / release
    modules.mkdir(parents=True)
    for name in ("modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(built / name, modules)
    (modules / "modules.order").touch()
    process.run(["chroot", str(tree), "depmod", release])
