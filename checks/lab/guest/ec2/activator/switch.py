"""A whole switch, in NixOS' order: stop what goes, change everything, start what is new."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import accounts, generation, sshd_config, system_files
from .generation import Generation
from .run import Failed, run
from .unit_files import SYSTEM, Files

# NixOS' exit code for "the new system is there, but some units do not start".
UNITS_FAILED = 4
# Whoever called the switch may be a unit that is about to be active: do not wait for it.
AT_REST = {"inactive", "failed"}


def switch(system: dict[str, Any]) -> int:
    """Makes this machine the system; what is the same is left alone."""
    old, files = generation.last(), system_files.of(system)
    users, groups = system["users"]["users"], sorted(system["users"]["groups"])
    accounts.check(users, groups)
    check_sshd(files)
    new = Generation(generation.hashes(files), sorted(set(users) - {"root"}), groups)
    gone = sorted(set(old.files) - set(new.files))
    changed = {path for path, digest in new.files.items() if old.files.get(path) != digest}

    stop(units(gone))
    accounts.make(users, system["users"]["groups"])
    accounts.remove(without(old.users, new.users), without(old.groups, groups))
    name_machine(system["networking"])
    put(files, changed, gone)
    generation.record(new)
    reload(files, changed | set(gone))
    return start(files, changed)


def stop(names: list[str]) -> None:
    """Units that the new system has not are stopped, but for those that ask not to be."""
    stopped = [name for name in names if "X-StopOnRemoval=false" not in (Path(SYSTEM) / name).read_text()]
    if stopped:
        print(f"stopping {' '.join(stopped)}", flush=True)
        run("systemctl", "stop", *stopped, check=False)


def check_sshd(files: Files) -> None:
    """Refuses an option that sshd does not know before anything is changed."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(files[sshd_config.PATH].content)
        file.flush()
        run("/usr/sbin/sshd", "-t", "-f", file.name)


def name_machine(networking: dict[str, Any]) -> None:
    Path("/etc/hostname").write_text(networking["hostName"] + "\n")
    run("hostname", networking["hostName"])
    if networking["hostId"]:
        run("zgenhostid", "-f", networking["hostId"])


def put(files: Files, changed: set[str], gone: list[str]) -> None:
    for path in gone:
        Path(path).unlink(missing_ok=True)
    for path in changed:
        generation.write(Path(path), files[path])


def reload(files: Files, changed: set[str]) -> None:
    """Tells everybody whose files are different. The rules of tmpfiles hold at every switch."""
    run("systemctl", "daemon-reload")
    if any(path.startswith("/etc/udev/") for path in changed):
        run("udevadm", "control", "--reload")
    if system_files.TMPFILES in files:
        run("systemd-tmpfiles", "--create", system_files.TMPFILES)


def start(files: Files, changed: set[str]) -> int:
    """Restarts what runs in an old form, and starts what an active target wants."""
    stale = [name for name in units(changed) if state(name) == "active"]
    if sshd_config.PATH in changed:
        stale.append("sshd.service")
    wanted = [name for by, name in wants(files) if state(by) == "active" and state(name) in AT_REST]
    codes = [attempt("restart", name) for name in stale] + [attempt("start", name) for name in wanted]
    return UNITS_FAILED if any(codes) else 0


def attempt(verb: str, name: str) -> bool:
    """Whether it failed. A switch goes on: an unreachable machine helps nobody."""
    print(f"{verb}ing {name}", flush=True)
    try:
        run("systemctl", verb, name)
    except Failed as error:
        print(f"warning: {error}", flush=True)
        return True
    return False


def units(paths: Iterable[str]) -> list[str]:
    """The units among some files."""
    return sorted(Path(path).name for path in paths if Path(path).parent == Path(SYSTEM))


def wants(files: Files) -> list[tuple[str, str]]:
    """Pairs of a unit and one that it wants."""
    links = [Path(path) for path in files if Path(path).parent.suffix == ".wants"]
    return sorted((link.parent.stem, link.name) for link in links)


def state(unit: str) -> str:
    return run("systemctl", "is-active", unit, check=False).strip()


def without(old: list[str], new: list[str]) -> list[str]:
    return sorted(set(old) - set(new))
