"""Volumes and EBS snapshots: sparse files that outlive every machine."""

from dataclasses import dataclass
from pathlib import Path

from checks.lab import process
from checks.lab.disk import Disk

GIB = 1 << 30


@dataclass
class Volumes:
    """The files of all volumes in one folder."""

    folder: Path

    def create(self, volume_id: str, size_gib: int, snapshot_id: str | None) -> None:
        path = self.disk(volume_id).path
        if snapshot_id:
            copy(self.snapshot_path(snapshot_id), path)
        else:
            path.touch()
        self.resize(volume_id, size_gib)

    def resize(self, volume_id: str, size_gib: int) -> None:
        with self.disk(volume_id).path.open("r+b") as file:
            file.truncate(size_gib * GIB)

    def delete(self, volume_id: str) -> None:
        self.disk(volume_id).path.unlink()

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        copy(self.disk(volume_id).path, self.snapshot_path(snapshot_id))

    def disk(self, volume_id: str) -> Disk:
        """EBS shows a volume's id without the hyphen, which is just what virtio can hold."""
        serial = volume_id.replace("-", "")
        return Disk(self.folder / f"{serial}.img", serial)

    def snapshot_path(self, snapshot_id: str) -> Path:
        return self.folder / f"{snapshot_id}.img"


def copy(source: Path, target: Path) -> None:
    process.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], timeout=600)
