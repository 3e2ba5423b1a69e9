"""systemd units as NixOS writes them, with a script for each."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SYSTEM = "/etc/systemd/system"
SCRIPTS = "/etc/nixos/units"
PACKAGES = "/usr/local/lib/lab/ec2/packages"
# All that a unit of NixOS has in its PATH besides what its `path` names.
ALWAYS = [f"{PACKAGES}/{name}" for name in ("coreutils", "findutils", "gnugrep", "gnused", "systemd")]
Unit = dict[str, Any]
# Not while a guest is booted for its saved state: it is nobody yet.
IN_AN_INSTANCE = {"ConditionKernelCommandLine": "|lab.ec2", "ConditionPathExists": "|/run/lab/instance"}


@dataclass(frozen=True)
class File:
    """A file that a generation has; a link if it has a target."""

    content: str = ""
    mode: int = 0o644
    target: str = ""


Files = dict[str, File]


def services(units: dict[str, Unit]) -> Files:
    files: Files = {}
    for name, unit in units.items():
        service = {"Environment": f'"PATH={search_path(unit["path"])}"'}
        for key, option, arguments in (("ExecStart", "script", unit["scriptArgs"]), ("ExecStop", "preStop", "")):
            if unit[option]:
                path = script_path(name, unit[option])
                service[key] = f"{path} {arguments}".rstrip()
                files[path] = File(f"#!/bin/bash -e\n{unit[option]}\n", 0o755)
        files |= installed(f"{name}.service", unit, "Service", service | unit["serviceConfig"])
    return files


def script_path(unit: str, script: str) -> str:
    """As in Nix's store: with another script, the unit that names it is another unit."""
    return f"{SCRIPTS}/{hashlib.sha256(script.encode()).hexdigest()[:16]}-{unit}"


def timers(units: dict[str, Unit]) -> Files:
    files: Files = {}
    for name, unit in units.items():
        files |= installed(f"{name}.timer", unit, "Timer", unit["timerConfig"])
    return files


def installed(name: str, unit: Unit, section: str, settings: Unit) -> Files:
    """The unit's file, and the links by which others want it."""
    head: Unit = {"Description": unit["description"]} if unit["description"] else {}
    head |= {key.capitalize(): unit[key] for key in ("before", "after", "wants")} | unit["unitConfig"]
    conditions = lines(IN_AN_INSTANCE)
    text = "\n".join(["[Unit]", *lines(head), *conditions, "", f"[{section}]", *lines(settings), ""])
    files = {f"{SYSTEM}/{name}": File(text)}
    for other in unit["wantedBy"]:
        files[f"{SYSTEM}/{other}.wants/{name}"] = File(target=f"../{name}")
    return files


def search_path(packages: list[str]) -> str:
    return ":".join(f"{package}/bin" for package in [*packages, *ALWAYS])


def lines(settings: Unit) -> Iterator[str]:
    """`Key=value`, once for each value of a list."""
    for key, value in settings.items():
        for one in value if isinstance(value, list) else [value]:
            yield f"{key}={str(one).lower() if isinstance(one, bool) else one}"
