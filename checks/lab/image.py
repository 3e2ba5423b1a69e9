"""The guest that every machine of the lab runs: packages from a recipe, then files of ours.

The packages take minutes and seldom change; the files change often and take
seconds. So each of the two steps is built once and kept. Each backend adds its
own kernel (see `Recipe`).
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache as cache_result
from functools import partial
from pathlib import Path

from checks.lab import cache, instance_files, mirror, process

RECIPE = Path(__file__).parent / "recipe"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SIZE = 3 << 30
OPTIONS = ["--mode=root", "--variant=minbase", "--components=main,contrib"]
TOOLS = ["mmdebstrap", "mkfs.ext4"]


@dataclass(frozen=True)
class Image:
    """A finished image's folder."""

    path: Path

    @property
    def root(self) -> Path:
        return self.path / "root.img"

    @property
    def kernel(self) -> Path:
        return self.path / "kernel"

    @property
    def initrd(self) -> Path:
        return self.path / "initrd"


@dataclass(frozen=True)
class Recipe:
    """A backend's part of its image; recipe/ is the part that all share."""

    name: str
    folder: Path
    # A release of Debian, or its backports: then ZFS comes from those.
    suite: str
    # Puts kernel and initrd into the image's folder, given the guest's tree and that folder.
    put_kernel: Callable[[Path, Path], None]
    # What names that kernel.
    kernel: str = ""

    def packages(self) -> list[str]:
        lists = [RECIPE / "packages", self.folder / "packages"]
        return [name for file in lists if file.exists() for name in file.read_text().split()]

    def hash(self) -> str:
        """Names the packages' tree after all that goes into it, but for the mirror."""
        settings = [self.name, self.suite, str(SIZE), *OPTIONS]
        return hashed(" ".join(settings).encode(), sources(RECIPE) | sources(self.folder, "own/"))


@cache_result
def get(recipe: Recipe) -> Image:
    """The image of a recipe, built first if need be. One process uses one image, even if the recipe changes."""
    target, packages = place(recipe), recipe.hash()
    return Image(cache.build_once(target, partial(build, recipe, packages), f"image-{recipe.name}"))


def place(recipe: Recipe) -> Path:
    """Where the image of a recipe is kept."""
    files = hashed(recipe.kernel.encode(), instance_files.sources())
    return cache.folder() / f"image-{recipe.name}-{recipe.hash()}-{files}"


def sources(folder: Path, prefix: str = "") -> dict[str, Path]:
    return {prefix + str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}


def hashed(settings: bytes, files: dict[str, Path]) -> str:
    """A hash of settings and of files with their names and modes."""
    digest = hashlib.sha256(settings)
    for name, file in sorted(files.items()):
        mode = file.lstat().st_mode & 0o100
        content = os.readlink(file).encode() if file.is_symlink() else file.read_bytes()
        digest.update(f"\0{name}\0{mode}\0".encode() + content)
    return digest.hexdigest()[:16]


def build(recipe: Recipe, packages: str, folder: Path) -> None:
    """Fills a folder with the root disk, the kernel and the initrd."""
    check_machine()
    kept = cache.folder() / "packages" / f"tree-{recipe.name}-{packages}"
    base = cache.build_once(kept, partial(install, recipe), f"tree-{recipe.name}")
    begin = time.monotonic()
    tree = folder / "tree"
    process.run(["cp", "--archive", "--reflink=auto", str(base / "root"), str(tree)], timeout=600)
    instance_files.add(tree)
    recipe.put_kernel(tree, folder)
    with (folder / "root.img").open("wb") as file:
        file.truncate(SIZE)
    process.run(["mkfs.ext4", "-q", "-d", str(tree), str(folder / "root.img")], timeout=600)
    shutil.rmtree(tree)
    print(f"lab: {recipe.name}: image built in {time.monotonic() - begin:.0f} s", flush=True)


def install(recipe: Recipe, folder: Path) -> None:
    """Fills a folder with the tree of a system: packages, without those that a lab never uses."""
    begin = time.monotonic()
    print(f"lab: {recipe.name}: installing the guests' packages in {folder.parent}", flush=True)
    hooks = [f"--customize-hook={recipe.folder / 'customize'}"]
    process.run(mmdebstrap(folder / "root", recipe.suite, recipe.packages(), hooks), timeout=3600)
    print(f"lab: {recipe.name}: packages installed in {time.monotonic() - begin:.0f} s", flush=True)


def check_machine() -> None:
    """Refuses what cannot work, with the way out."""
    if os.geteuid() != 0:
        raise SystemExit("lab: it makes network namespaces and a root file system: run it as root")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or not KEYRING.is_file():
        raise SystemExit(
            f"lab: not installed: {' '.join(missing) or KEYRING}: run"
            " apt-get install mmdebstrap e2fsprogs debian-archive-keyring"
        )


def mmdebstrap(tree: Path, suite: str, packages: Sequence[str], hooks: Sequence[str]) -> list[str]:
    """The command that installs packages, with those of ZFS from the backports if the suite is one.

    In a mount namespace of its own: what it may leave mounted in the tree (its
    /dev/pts) must be gone when the tree is removed.

    Release files of trixie are signed by bookworm's key too, so the keyring of
    Debian 12 or Ubuntu 24.04 is new enough.
    """
    release, backports = suite.removesuffix("-backports"), suite.endswith("-backports")
    # The process namespace ends all of its children when it is killed.
    contained = ["--pid", "--fork", "--kill-child", "--mount-proc"]
    argv = ["unshare", "--mount", "--propagation=private", *contained, "--"]
    argv += ["mmdebstrap", *OPTIONS, f"--keyring={KEYRING}", f"--include={','.join(packages)}"]
    if backports:
        argv += [f"--setup-hook={RECIPE / 'pin'} $1 {suite}"]
    found = mirror.find()
    return [*argv, *hooks, release, str(tree), *([found] if found else [])]
