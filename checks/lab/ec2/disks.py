"""Root disks; an image is a root disk that is not written to any more."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from checks.lab import backend
from checks.lab.backend import SavedState


@dataclass
class Base:
    """The disk of an image, and a saved state of it if there is one."""

    disk: Path
    state: SavedState | None = None


@dataclass
class Disks:
    """The disks in one folder."""

    folder: Path
    images: dict[str, Base] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def new_root(self, base: Path, name: str) -> Path:
        """A root disk that begins as its base and leaves that as it is."""
        path = self.new_path(name)
        backend.get().new_root(base, path)
        return path

    def new_path(self, name: str) -> Path:
        return self.folder / f"{name}-{next(self._numbers)}{backend.get().suffix}"

    def remove(self, disk: Path) -> None:
        """Removes a disk unless it has become an image, which others may build upon."""
        if disk not in [base.disk for base in self.images.values()]:
            disk.unlink(missing_ok=True)
