"""The image for QEMU: a distribution's kernel, with the ZFS modules that its package builds."""

import gzip
import lzma
import os
import shutil
import struct
from pathlib import Path

from checks.lab import process
from checks.lab.image import Recipe

# Other releases of Debian bring other versions of ZFS: bookworm 2.1, its backports and trixie 2.3.
SUITE = os.environ.get("DORMOUSE_LAB_SUITE", "trixie")


def recipe() -> Recipe:
    return Recipe("qemu", Path(__file__).parent / "recipe", SUITE, put_kernel)


def put_kernel(tree: Path, folder: Path) -> None:
    extract_kernel(next(tree.glob("boot/vmlinuz-*")), folder / "kernel")
    shutil.copy(tree / "boot/initrd.lab", folder / "initrd")


def extract_kernel(packed: Path, target: Path) -> None:
    """Takes the ELF kernel out of a bzImage: QEMU boots it without a BIOS (PVH).

    Where the packed kernel lies is written in the boot protocol's header; its
    last four bytes are the unpacked size and belong to no format.
    """
    image = packed.read_bytes()
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = (setup_sectors + 1) * 512 + offset
    elf = unpack(image[begin : begin + length - 4])
    if not elf.startswith(b"\x7fELF"):
        raise SystemExit(f"lab: {packed.name} holds no ELF kernel: the lab cannot boot it")
    target.write_bytes(elf)


def unpack(payload: bytes) -> bytes:
    """Unpacks the formats that Debian has used for its kernels."""
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        return process.run(["zstd", "--decompress", "--stdout"], stdin=payload).out
    if payload.startswith(b"\x02\x21\x4c\x18"):
        return process.run(["lz4", "--decompress", "--stdout", "-"], stdin=payload).out
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.decompress(payload)
    return gzip.decompress(payload)
