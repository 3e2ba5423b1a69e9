"""Finds the Debian mirror that this machine's own apt uses."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ETC = Path("/etc")


@dataclass(frozen=True)
class Source:
    """One place that apt fetches packages from."""

    uri: str
    suite: str


def find(etc: Path = ETC) -> str | None:
    """The mirror to build the guest from, or None for mmdebstrap's default.

    On Ubuntu apt knows no Debian mirror; mmdebstrap brings one of its own.
    """
    chosen = os.environ.get("DORMOUSE_DEBIAN_MIRROR")
    if chosen:
        return chosen
    release = (etc / "os-release").read_text()
    if not re.search(r'^ID="?debian"?$', release, re.MULTILINE):
        return None
    main = [s.uri for s in sources(etc / "apt") if is_release(s.suite, release)]
    return main[0] if main else None


def is_release(suite: str, release: str) -> bool:
    """Tells the release itself from its -updates, -security and -backports."""
    codename = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    names = {"stable", "testing", "unstable", "sid"}
    return suite in names | ({codename[1]} if codename else set())


def sources(apt: Path) -> Iterator[Source]:
    """Every source of packages that apt is told of, in either of its formats."""
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        if file.is_file():
            yield from one_line(file.read_text())
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        yield from deb822(file.read_text())


def one_line(text: str) -> Iterator[Source]:
    """Reads lines such as `deb [signed-by=…] URI SUITE main`."""
    for match in re.finditer(r"^deb\s+(?:\[[^]]*]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
        yield from resolved(match[1], match[2])


def deb822(text: str) -> Iterator[Source]:
    """Reads stanzas of `Types:`, `URIs:` and `Suites:`."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
        if "deb" not in fields.get("Types", "").split() or fields.get("Enabled") == "no":
            continue
        for uri in fields.get("URIs", "").split():
            for suite in fields.get("Suites", "").split():
                yield from resolved(uri, suite)


def resolved(uri: str, suite: str) -> Iterator[Source]:
    """Cloud images list their mirrors in a file: `mirror+file:/etc/apt/mirrors/…`."""
    if uri.startswith("mirror+file:"):
        listed = Path(re.sub("^mirror\\+file:/+", "/", uri))
        uris = listed.read_text().split() if listed.is_file() else []
    else:
        uris = [uri]
    for one in uris:
        if one.startswith(("http://", "https://")):
            yield Source(one, suite)
