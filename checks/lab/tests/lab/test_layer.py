"""A layer over a disk becomes the whole disk that a guest saw."""

from pathlib import Path

import pytest

from checks.lab.uml import layer

SECTORS = 4096


def base(folder: Path) -> Path:
    disk = folder / "base.img"
    disk.write_bytes(bytes(number % 251 for number in range(SECTORS)) * layer.SECTOR)
    return disk


def write(path: Path, number: int, content: bytes) -> None:
    """What the driver does: a sector in its place, and its bit."""
    with path.open("r+b") as file:
        shape = layer.geometry(file.read(layer.HEADER.size), path)
        file.seek(shape.bitmap_at + number // 8)
        byte = file.read(1)[0] | 1 << number % 8
        file.seek(shape.bitmap_at + number // 8)
        file.write(bytes([byte]))
        file.seek(shape.data_at + number * shape.sector)
        file.write(content)


def test_a_layer_that_was_not_written_to_is_its_base(tmp_path: Path) -> None:
    disk = base(tmp_path)
    layer.create(tmp_path / "root.layer", disk)
    layer.flatten(tmp_path / "root.layer", tmp_path / "whole.img")
    assert (tmp_path / "whole.img").read_bytes() == disk.read_bytes()


def test_what_was_written_is_there_and_the_base_is_as_it_was(tmp_path: Path) -> None:
    disk = base(tmp_path)
    before = disk.read_bytes()
    expected = bytearray(before)
    layer.create(tmp_path / "root.layer", disk)
    for number in (0, 1, 7, 8, 9, 2000, SECTORS - 1):
        content = bytes([number % 256]) * layer.SECTOR
        write(tmp_path / "root.layer", number, content)
        expected[number * layer.SECTOR : (number + 1) * layer.SECTOR] = content
    layer.flatten(tmp_path / "root.layer", tmp_path / "whole.img")
    assert (tmp_path / "whole.img").read_bytes() == bytes(expected)
    assert disk.read_bytes() == before


def test_runs_of_sectors_are_copied_together() -> None:
    assert list(layer.runs(bytes([0b1100_0001, 0b0000_0011, 0, 0b1000_0000]))) == [(0, 1), (6, 4), (31, 1)]
    assert list(layer.runs(b"\xff\xff")) == [(0, 16)]
    assert list(layer.runs(b"\0\0")) == []


@pytest.mark.parametrize("content", [b"", b"QFI\xfb" + bytes(layer.HEADER.size), b"OOOM" + bytes(layer.HEADER.size)])
def test_a_file_that_is_not_a_layer_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(layer.NotALayer):
        layer.flatten(tmp_path / "other", tmp_path / "whole.img")
