"""Disks that can be plugged into a machine."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disk:
    """A sparse file that can be plugged into a machine; it stays when that ends."""

    path: Path
    serial: str

    @property
    def device(self) -> str:
        return f"/dev/disk/by-id/virtio-{self.serial}"


def make_disk(folder: Path, serial: str, size: int) -> Disk:
    """Makes an empty disk of so many bytes. A virtio serial number holds 20 bytes."""
    assert len(serial) <= 20, serial
    disk = Disk(folder / f"{serial}.img", serial)
    with disk.path.open("xb") as file:
        file.truncate(size)
    return disk
