"""The guest that every machine of the lab runs: packages from recipe/, then files of ours.

The packages take minutes and seldom change; the files change often and take
seconds. So each of the two steps is built once and kept.
"""

import gzip
import hashlib
import lzma
import os
import shutil
import struct
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from checks.lab import cache, instance_files, mirror, process

RECIPE = Path(__file__).parent / "recipe"
# Other releases of Debian bring other versions of ZFS: bookworm 2.1, its backports and trixie 2.3.
SUITE = os.environ.get("DORMOUSE_LAB_SUITE", "trixie")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SIZE = 3 << 30
OPTIONS = ["--mode=root", "--variant=minbase", "--components=main,contrib"]


@dataclass(frozen=True)
class Image:
    """A finished image's folder."""

    path: Path

    @property
    def root(self) -> Path:
        return self.path / "root.img"

    @property
    def kernel(self) -> Path:
        return self.path / "vmlinux"

    @property
    def initrd(self) -> Path:
        return self.path / "initrd"


def get() -> Image:
    """The image of this recipe, built first if need be (about five minutes)."""
    packages, files = recipe_hash(), hashed(b"", instance_files.sources())
    target = cache.folder() / f"image-{packages}-{files}"
    return Image(cache.build_once(target, partial(build, packages), "image"))


def recipe_hash() -> str:
    """Names the packages' tree after all that goes into it, but for the mirror."""
    recipe = {str(p.relative_to(RECIPE)): p for p in RECIPE.rglob("*") if p.is_file()}
    return hashed(" ".join([SUITE, str(SIZE), *OPTIONS]).encode(), recipe)


def hashed(settings: bytes, files: dict[str, Path]) -> str:
    """A hash of settings and of files with their names and modes."""
    digest = hashlib.sha256(settings)
    for name, file in sorted(files.items()):
        mode = file.lstat().st_mode & 0o100
        content = os.readlink(file).encode() if file.is_symlink() else file.read_bytes()
        digest.update(f"\0{name}\0{mode}\0".encode() + content)
    return digest.hexdigest()[:16]


def build(packages: str, folder: Path) -> None:
    """Fills a folder with the root disk, the kernel and the initrd."""
    check_machine()
    base = cache.build_once(cache.folder() / "packages" / f"tree-{packages}", install, "tree")
    begin = time.monotonic()
    tree = folder / "tree"
    process.run(["cp", "--archive", "--reflink=auto", str(base / "root"), str(tree)], timeout=600)
    instance_files.add(tree)
    extract_kernel(next(tree.glob("boot/vmlinuz-*")), folder / "vmlinux")
    shutil.copy(tree / "boot/initrd.lab", folder / "initrd")
    with (folder / "root.img").open("wb") as file:
        file.truncate(SIZE)
    process.run(["mkfs.ext4", "-q", "-d", str(tree), str(folder / "root.img")], timeout=600)
    shutil.rmtree(tree)
    print(f"lab: image built in {time.monotonic() - begin:.0f} s", flush=True)


def install(folder: Path) -> None:
    """Fills a folder with the tree of a system: packages, without what a lab never uses."""
    begin = time.monotonic()
    print(f"lab: installing the machines' packages in {folder.parent}; about 5 minutes", flush=True)
    process.run(mmdebstrap(folder / "root", mirror.find()), timeout=3600)
    print(f"lab: packages installed in {time.monotonic() - begin:.0f} s", flush=True)


def check_machine() -> None:
    """Refuses what cannot work, with the way out."""
    if os.geteuid() != 0:
        raise SystemExit("lab: it makes network namespaces and a root file system: run it as root")
    needed = ["lz4", "mmdebstrap", "mkfs.ext4", "zstd"]
    missing = [tool for tool in needed if not shutil.which(tool)]
    if missing or not KEYRING.is_file():
        raise SystemExit(
            f"lab: not installed: {' '.join(missing) or KEYRING}: run"
            " apt-get install lz4 mmdebstrap e2fsprogs zstd debian-archive-keyring"
        )


def mmdebstrap(tree: Path, mirror_uri: str | None) -> list[str]:
    """The command that installs the packages and customises them.

    In a mount namespace of its own: what it may leave mounted in the tree (its
    /dev/pts) must be gone when the tree is removed.

    Release files of trixie are signed by bookworm's key too, so the keyring of
    Debian 12 or Ubuntu 24.04 is new enough.
    """
    packages = ",".join((RECIPE / "packages").read_text().split())
    suite, backports = SUITE.removesuffix("-backports"), SUITE.endswith("-backports")
    # The process namespace ends all of its children when it is killed.
    contained = ["--pid", "--fork", "--kill-child", "--mount-proc"]
    argv = ["unshare", "--mount", "--propagation=private", *contained, "--"]
    argv += ["mmdebstrap", *OPTIONS, f"--keyring={KEYRING}", f"--include={packages}"]
    if backports:
        argv += [f"--setup-hook={RECIPE / 'pin'} $1 {SUITE}"]
    argv += [f"--customize-hook={RECIPE / 'customize'}", suite, str(tree)]
    if not backports:
        return argv + ([mirror_uri] if mirror_uri else [])
    if not mirror_uri:
        raise SystemExit(f"lab: no Debian mirror is known to this machine: set DORMOUSE_DEBIAN_MIRROR for {SUITE}")
    return argv + [f"deb {mirror_uri} {each} main contrib" for each in (suite, SUITE)]


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
