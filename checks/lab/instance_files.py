"""What makes the lab's guest a NixOS image of EC2 when it is booted as an instance.

guest/ec2/ holds it: `files` as they lie in the guest, `activator` in place of
switch-to-configuration, `nix` in place of nixpkgs, and two lists: `packages` of
what units may have in their PATH, `masked` of units that only cost time.
"""

import os
import shutil
from pathlib import Path

EC2 = Path(__file__).parent / "guest" / "ec2"
# The module system with which the generated files are checked without nixpkgs.
EVAL = Path(__file__).parents[1] / "eval"
MODULE_SYSTEM = ["lib.nix", "options.nix", "types.nix"]
HOME = Path("usr/local/lib/lab/ec2")


def sources() -> dict[str, Path]:
    """Every file that the image is made of, for its hash."""
    ours = {str(p.relative_to(EC2)): p for p in EC2.rglob("*") if is_source(p)}
    return ours | {f"eval/{name}": EVAL / name for name in MODULE_SYSTEM}


def is_source(path: Path) -> bool:
    return "__pycache__" not in path.parts and (path.is_symlink() or path.is_file())


def add(tree: Path) -> None:
    """Puts all of it into the tree of a system."""
    shutil.copytree(EC2 / "files", tree, symlinks=True, dirs_exist_ok=True, copy_function=put)
    home = tree / HOME
    shutil.copytree(EC2 / "activator", home / "activator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(EC2 / "nix", home / "nix")
    for name in MODULE_SYSTEM:
        shutil.copy(EVAL / name, home / "nix")
    for line in (EC2 / "packages").read_text().splitlines():
        add_package(tree, *line.split())
    for unit in (EC2 / "masked").read_text().split():
        mask(tree, unit)
    forget_identity(tree)
    leave_sessions_alone(tree)


def put(source: str, target: str) -> None:
    """Copies a file in place of what is there: never through a link, which leads out of the tree."""
    Path(target).unlink(missing_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def add_package(tree: Path, name: str, debian: str, *others: str) -> None:
    """A folder as Nix's packages are: only its own programs are in its bin/."""
    folder = tree / HOME / "packages" / name / "bin"
    folder.mkdir(parents=True)
    for program in [*programs(tree, debian), *others]:
        (folder / program).symlink_to(f"/{place(tree, program)}/{program}")


def place(tree: Path, program: str) -> str:
    """Debian's packages list some programs where they lay before /bin became /usr/bin."""
    found = (p for p in ("usr/bin", "usr/sbin") if os.path.lexists(tree / p / program))
    return next(found)


def programs(tree: Path, debian: str) -> list[str]:
    """The programs of a Debian package."""
    info = tree / "var/lib/dpkg/info"
    listing = next(p for p in (info / f"{debian}.list", info / f"{debian}:amd64.list") if p.exists())
    paths = [Path(line) for line in listing.read_text().splitlines()]
    return sorted({p.name for p in paths if p.parent.name in ("bin", "sbin")})


def mask(tree: Path, unit: str) -> None:
    link = tree / "etc/systemd" / unit
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to("/dev/null")


def forget_identity(tree: Path) -> None:
    """Every boot of a new disk makes a machine id of its own.

    The file is empty, not missing: a missing one means a first boot, which
    enables every service that Debian knows.
    """
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)


def leave_sessions_alone(tree: Path) -> None:
    """Only the sshd of an instance makes sessions: they slow every connection."""
    common = tree / "etc/pam.d/common-session"
    lines = common.read_text().splitlines(keepends=True)
    common.write_text("".join(line for line in lines if "pam_systemd.so" not in line))
