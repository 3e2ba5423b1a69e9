"""Copy-on-write files of User Mode Linux (arch/um/drivers/cow_user.c, version 3).

A header that names the base, a bitmap with a bit for each sector that was
written, and the sectors themselves, each where it is on the whole disk.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.lab import process

HEADER = struct.Struct(">4sIIQIII4096s")
MAGIC = b"OOOM"
VERSION = 3
SECTOR = 512
ALIGNMENT = 4096
CHUNK = 1 << 20


class NotALayer(Exception):
    """A file that User Mode Linux did not write, or one of another version."""


@dataclass(frozen=True)
class Geometry:
    """The base, and where bitmap and sectors begin; all numbers in bytes."""

    base: Path
    size: int
    sector: int
    bitmap_at: int
    data_at: int

    @property
    def bitmap_size(self) -> int:
        return -(-self.size // self.sector // 8)


def create(layer: Path, base: Path) -> None:
    """Makes an empty layer. The driver refuses one whose base was changed later."""
    state = base.stat()
    name = str(base.resolve()).encode()
    header = HEADER.pack(MAGIC, VERSION, int(state.st_mtime), state.st_size, SECTOR, ALIGNMENT, 0, name)
    with layer.open("xb") as file:
        file.write(header)
        file.truncate(geometry(header, layer).data_at)


def flatten(layer: Path, target: Path) -> None:
    """Makes a whole disk of a layer and its base."""
    with layer.open("rb") as file:
        shape = geometry(file.read(HEADER.size), layer)
        copy(shape.base, target)
        file.seek(shape.bitmap_at)
        bitmap = file.read(shape.bitmap_size)
        with target.open("r+b") as disk:
            for first, count in runs(bitmap):
                file.seek(shape.data_at + first * shape.sector)
                disk.seek(first * shape.sector)
                left = count * shape.sector
                while part := file.read(min(left, CHUNK)):
                    disk.write(part)
                    left -= len(part)


def copy(source: Path, target: Path) -> None:
    process.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], timeout=600)


def geometry(header: bytes, layer: Path) -> Geometry:
    if len(header) < HEADER.size:
        raise NotALayer(f"{layer} is too short")
    magic, version, _, size, sector, alignment, _, name = HEADER.unpack(header)
    if (magic, version) != (MAGIC, VERSION):
        raise NotALayer(f"{layer} begins with {magic!r}, version {version}")
    bitmap_at = aligned(HEADER.size, alignment)
    data_at = aligned(bitmap_at + -(-size // sector // 8), alignment)
    return Geometry(Path(name.rstrip(b"\0").decode()), size, sector, bitmap_at, data_at)


def aligned(number: int, alignment: int) -> int:
    return -(-number // alignment) * alignment


def runs(bitmap: bytes) -> Iterator[tuple[int, int]]:
    """Each run of set bits: its first and its length. The lowest bit of a byte comes first."""
    first = None
    for index, byte in enumerate(bitmap):
        if byte == 0 and first is None:
            continue
        for bit in range(8):
            is_set = byte >> bit & 1
            number = index * 8 + bit
            if is_set and first is None:
                first = number
            elif not is_set and first is not None:
                yield first, number - first
                first = None
    if first is not None:
        yield first, len(bitmap) * 8 - first
