"""Linux as a program (ARCH=um) with OpenZFS inside, built from Debian's source packages.

It is built in a tree of its own that has a compiler, so that this computer's
does not matter, and kept under a hash of everything that it is made of.
"""

import shutil
import time
from pathlib import Path

from checks.lab import cache, image, process

BUILD = Path(__file__).parent / "build"
# NixOS 26.05 has ZFS 2.4, which Debian 13 has in its backports only. The kernel is the release's own:
# those of the backports are replaced without notice.
SUITE = "trixie-backports"


def get() -> Path:
    """The folder with `linux`, `release`, `zfs-version` and `modules.builtin*`, built first if need be
    (about 10 minutes of two processors)."""
    target = cache.folder() / "uml" / f"linux-{key()}"
    return cache.build_once(target, build, "linux")


def key() -> str:
    return image.hashed(SUITE.encode(), image.sources(BUILD))


def build(folder: Path) -> None:
    image.check_machine()
    begin = time.monotonic()
    print("lab: uml: building Linux and OpenZFS as a program: about 10 minutes, once", flush=True)
    tree = folder / "tree"
    packages = (BUILD / "packages").read_text().split()
    process.run(image.mmdebstrap(tree, SUITE, packages, []), timeout=1800)
    (tree / "build").mkdir()
    for name in ("build-kernel", "config", "isoc23.c"):
        shutil.copy(BUILD / name, tree / "build")
    contained = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--"]
    # A make above hands down flags, by which the kernel's would print the directories that it enters.
    build = f"exec env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL chroot {tree} /build/build-kernel"
    mounted = f"mount -t proc proc {tree}/proc && mount --bind /dev {tree}/dev && {build}"
    process.run([*contained, "sh", "-c", mounted], timeout=3600)
    for name in ("linux", "release", "zfs-version", "modules.builtin", "modules.builtin.modinfo"):
        shutil.move(tree / "build" / name, folder / name)
    shutil.rmtree(tree)
    versions = f"{(folder / 'release').read_text().strip()}, ZFS {(folder / 'zfs-version').read_text().strip()}"
    print(f"lab: uml: {versions} built in {time.monotonic() - begin:.0f} s", flush=True)
