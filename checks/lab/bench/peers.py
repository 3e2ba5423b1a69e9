"""The peers: what is installed, and how each is told to do the same thing as Dormouse.

They get the archiver's host key and a key of their own, and of their options those with
which they are quickest without losing anything.
"""

import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from checks.lab import process, product
from checks.lab.lab import Lab

FOLDER = "/opt/peers"
KEY = "/root/.ssh/peer"
PYTHON = "3.13"
PACKAGES = ["bzfs", "zfs-autobackup", "zfs-replicate"]
DEBIAN = ["sanoid", "libconfig-inifiles-perl", "libcapture-tiny-perl"]


@dataclass(frozen=True)
class Peer:
    """A tool; `command` brings everything below a source to a target on the archiver."""

    name: str
    version: str
    command: Callable[[str, str], list[str]]
    # Tools that need minutes are measured once, on small trees only.
    slow: bool = False
    # What has it look at snapshots of one name only.
    only: str = "{}"


def install(lab: Lab, tools: Path) -> list[Peer]:
    """Puts the peers on the home host. Those that cannot be had are left out, and named."""
    home, archiver = lab.home, lab.archiver
    home.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY])
    allowed = archiver.get("/root/.ssh/authorized_keys") + home.get(f"{KEY}.pub")
    archiver.put("/root/.ssh/authorized_keys", allowed)
    # Of the key that sshd has: the file beside it may still be that of an earlier one.
    host_key = archiver.run(["ssh-keygen", "-y", "-f", product.HOST_KEY]).stdout
    home.put("/root/.ssh/known_hosts", f"{archiver.address} {host_key}".encode())
    home.put("/root/.ssh/config", f"Host {archiver.address}\n  IdentityFile {KEY}\n".encode())
    with tempfile.TemporaryDirectory() as folder:
        versions = fetch(Path(folder))
        lab.home.run(["mkdir", "-p", FOLDER])
        home.run(["tar", "-x", "-C", FOLDER], stdin=product.packed({"lib": Path(folder)}), timeout=300)
    found = [peer for peer in peers(f"root@{archiver.address}", versions) if peer.version]
    for peer in peers(f"root@{archiver.address}", versions):
        if not peer.version:
            print(f"bench: {peer.name} cannot be had here", flush=True)
    return found


def fetch(folder: Path) -> dict[str, str]:
    """Downloads what there is; the version of each."""
    versions = {}
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    for name in PACKAGES:
        target = ["--target", str(folder / name), "--python-version", PYTHON, "--only-binary=:all:", name]
        if process.run([*pip, *target], timeout=300, check=False).code == 0:
            [info] = (folder / name).glob(f"{name.replace('-', '_')}-*.dist-info")
            versions[name] = info.name.removesuffix(".dist-info").rpartition("-")[2]
    script = 'cd "$0" && apt-get download -q -o APT::Sandbox::User=root "$@" >&2 && ls *.deb'
    listed = process.run(["sh", "-c", script, str(folder), *DEBIAN], timeout=300, check=False)
    for package in listed.stdout.split() if listed.code == 0 else []:
        process.run(["dpkg-deb", "-x", str(folder / package), str(folder / "debian")])
        if package.startswith("sanoid_"):
            versions["syncoid"] = package.split("_")[1].split("-")[0]
        (folder / package).unlink()
    return versions


def peers(archiver: str, versions: dict[str, str]) -> list[Peer]:
    """Every peer with its command."""

    def python(package: str, module: str, function: str = "main") -> list[str]:
        start = f"from {module} import {function}; {function}()"
        return ["env", f"PYTHONPATH={FOLDER}/lib/{package}", "python3", "-c", start]

    def bzfs(*options: str) -> Callable[[str, str], list[str]]:
        base = [*python("bzfs", "bzfs_main.bzfs"), "--recursive", "--compression-program=-", "--quiet"]
        lean = ["--no-resume-recv", "--no-estimate-send-size", "--ps-program=-", "--mbuffer-program=-"]
        return lambda source, target: [*base, *lean, *options, source, f"{archiver}:{target}"]

    def syncoid(source: str, target: str) -> list[str]:
        perl = f"{FOLDER}/lib/debian/usr/share/perl5"
        options = ["-r", "--no-sync-snap", "--compress=none", "--recvoptions=u", "--quiet"]
        program = ["env", f"PERL5LIB={perl}", "perl", f"{FOLDER}/lib/debian/usr/sbin/syncoid"]
        return [*program, *options, source, f"{archiver}:{target}"]

    def autobackup(source: str, target: str) -> list[str]:
        options = ["--ssh-target", archiver, "--no-snapshot", "--other-snapshots", "--no-thinning"]
        options += ["--no-holds", "--strip-path", "1"]
        select = f"zfs set autobackup:bench=true {shlex.quote(source)}"
        program = python("zfs-autobackup", "zfs_autobackup.ZfsAutobackup", "cli")
        run = shlex.join([*program, *options, "bench", target.rpartition("/")[0]])
        return ["sh", "-c", f"{select} && {run}; code=$?; zfs inherit autobackup:bench {source}; exit $code"]

    def replicate(source: str, target: str) -> list[str]:
        user, _, host = archiver.partition("@")
        options = ["--recursive", "--compression", "off", "--identity-file", KEY, "--login", user]
        program = python("zfs-replicate", "zfs.replicate.cli.main")
        return [*program, *options, host, target.rpartition("/")[0], source]

    only = "--include-snapshot-regex={}"
    return [
        Peer("bzfs, cached", versions.get("bzfs", ""), bzfs("--cache-snapshots"), only=only),
        Peer("bzfs, lean", versions.get("bzfs", ""), bzfs("--create-bookmarks=none"), only=only),
        Peer("zfs-replicate", versions.get("zfs-replicate", ""), replicate, slow=True),
        Peer("syncoid", versions.get("syncoid", ""), syncoid, slow=True),
        Peer("zfs-autobackup", versions.get("zfs-autobackup", ""), autobackup, slow=True),
    ]
