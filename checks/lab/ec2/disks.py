"""Root disks: copy-on-write overlays; an image is an overlay that nobody writes to any more."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from checks.lab import process
from checks.lab.ec2.image_state import ImageState


@dataclass
class Base:
    """The disk of an image, and a saved state of it if there is one."""

    disk: Path
    state: ImageState | None = None


@dataclass
class Disks:
    """The disks in one folder. Instances write to the newest file of their chain."""

    folder: Path
    images: dict[str, Base] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def overlay(self, base: Path, name: str) -> Path:
        """An empty overlay: what is not written to it is read from its base."""
        path = self.new_path(name)
        base_format = "qcow2" if base.suffix == ".qcow2" else "raw"
        process.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", base_format, "-b", str(base), str(path)]
        )
        return path

    def new_path(self, name: str) -> Path:
        return self.folder / f"{name}-{next(self._numbers)}.qcow2"

    def remove(self, disk: Path) -> None:
        """Removes a disk unless it has become an image, which others may build upon."""
        if disk not in [base.disk for base in self.images.values()]:
            disk.unlink(missing_ok=True)
