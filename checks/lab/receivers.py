"""Prometheus and its node exporter, from the packages of this computer's own system.

They are unpacked and not installed: an installed one would start as a service.
"""

from pathlib import Path

from checks.lab import cache, process

PACKAGES = ["prometheus", "prometheus-node-exporter"]


def prometheus() -> Path:
    """The folder of promtool and prometheus-node-exporter."""
    return cache.build_once(cache.folder() / "receivers-prometheus", fetch, "receivers") / "usr/bin"


def fetch(folder: Path) -> None:
    packages = folder / "packages"
    packages.mkdir()
    # apt's own user may not write into the cache; the download is then root's, which is no harm.
    quiet = ["--option", "APT::Sandbox::User=root"]
    process.run(["env", "-C", str(packages), "apt-get", "download", *quiet, *PACKAGES], timeout=600)
    for package in packages.glob("*.deb"):
        process.run(["dpkg-deb", "--extract", str(package), str(folder)], timeout=600)
