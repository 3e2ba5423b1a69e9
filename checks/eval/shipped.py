"""systemd/ holds units for every Linux: what the NixOS module makes, and valid."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from compare import same
from examples import Example
from host import words
from nix import REPOSITORY, evaluate
from unit_files import text, unit_files

FOLDER = REPOSITORY / "systemd"

# What depends on the spec on NixOS, and on the installation elsewhere.
OWN = {
    "ExecStart",
    "ExecStartPre",
    "ExecStopPost",
    "LoadCredential",
    "ReadWritePaths",
    "SetCredential",
}

# Where the secrets are, and the files among them that a service may get: never a folder, which on the machine that
# generates has the keys of all hosts.
SECRETS = "/var/lib/dormouse/secrets/"
FILES = ("/id_ed25519", "/record_key", "aws-credentials")

# The exposure that docs/security.md names, of 10; the lower, the better. systemd computes it, and
# its versions differ a little.
EXPOSURE = re.compile(r"Overall exposure level for .*: ([0-9.]+)")
TOLERANCE = 0.3
DOCUMENT = REPOSITORY / "docs" / "security.md"

# Where a reader is told to give the rights by hand.
BY_HAND = REPOSITORY / "docs" / "linux.md"
RIGHTS = REPOSITORY / "modules" / "nixos" / "zfs-rights.json"


def problems(home: Example) -> Iterator[str]:
    """What differs between the shipped units and those of the module for home.json."""
    spec = home.spec["hosts"]["desktop"]["replications"]["safe"]
    system = evaluate("host.nix", generated=home.generated, host="desktop")
    for shipped, module in (("dormouse@", "dormouse-safe"), ("dormouse-audit@", "dormouse-audit-safe")):
        found = settings(FOLDER / f"{shipped}.service")
        expected = {
            name: [text(item) for item in (value if isinstance(value, list) else [value])]
            for name, value in system["services"][module]["serviceConfig"].items()
        }
        expected["RestrictAddressFamilies"] = [" ".join(expected["RestrictAddressFamilies"])]
        expected["TimeoutStartSec"] = [spec["timeout"]]
        for name in sorted((set(found) | set(expected)) - OWN):
            yield from same(f"{shipped}.service: {name}", found.get(name), expected.get(name))
        audits = ["--audit"] if "audit" in shipped else []
        command = found["ExecStart"][0].split()
        yield from same(f"{shipped}.service", command[-2 - len(audits) :], ["replicate", *audits, "%i"])
        stop = [line.split()[-3:] for line in found["ExecStopPost"]]
        yield from same(f"{shipped}.service: ExecStopPost", stop, [["report", "--keep", "%i"]])
    generated = REPOSITORY / "generator" / "tests" / "golden" / "reports"
    services = evaluate("host.nix", generated=generated, host="desktop")["services"]
    for name in ("dormouse-report", "dormouse-stale"):
        found, expected = settings(FOLDER / f"{name}.service"), services[name]["serviceConfig"]
        for setting in sorted((set(found) | set(expected)) - OWN):
            wanted = expected.get(setting)
            wanted = [" ".join(wanted)] if setting == "RestrictAddressFamilies" else wanted
            wanted = wanted if isinstance(wanted, list) else [text(wanted)]
            yield from same(f"{name}.service: {setting}", found.get(setting), wanted)
    never = evaluate("host.nix", generated=home.generated, host="desktop")
    if {"dormouse-drill"} & (set(never["services"]) | set(never["timers"])):
        yield "drills are made although nobody asked for them"
    asked = evaluate("host.nix", generated=home.generated, host="desktop", dormouse={"drill": "monthly"})
    found, service = settings(FOLDER / "dormouse-drill.service"), asked["services"]["dormouse-drill"]
    for setting in sorted((set(found) | set(service["serviceConfig"])) - OWN):
        yield from same(f"dormouse-drill: {setting}", found.get(setting), [text(service["serviceConfig"].get(setting))])
    command = found["ExecStart"][0].split()
    yield from same("dormouse-drill.service", command[-3:], ["verify", "--deep", "--yes"])
    yield from same("dormouse-drill", words(service["serviceConfig"]["ExecStart"])[-3:], command[-3:])
    yield from same("dormouse-drill: timer", asked["timers"]["dormouse-drill"]["timerConfig"]["OnCalendar"], "monthly")
    grant = f"zfs allow -u dormouse {','.join(json.loads(RIGHTS.read_text()))} "
    if grant not in BY_HAND.read_text():
        yield f"{BY_HAND} lacks {grant!r}"
    yield from folders()
    if shutil.which("systemd-analyze"):
        yield from invalid()
        yield from exposed(system)


def folders() -> Iterator[str]:
    """Credentials that are not single files under the names by which dormouse looks for them."""
    for file in sorted(FOLDER.iterdir()):
        for credential in settings(file).get("LoadCredential", []):
            name, _, path = credential.partition(":")
            secret = path.removeprefix(SECRETS)
            if secret == path or not secret.endswith(FILES) or name != secret.replace("/", "_"):
                yield f"{file.name}: LoadCredential={credential} is not one file of {SECRETS} by its name"


def settings(file: Path) -> dict[str, list[str]]:
    """The settings of a unit's section [Service]."""
    section = file.read_text().partition("[Service]\n")[2].partition("\n[")[0]
    found: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def invalid() -> Iterator[str]:
    """What `systemd-analyze verify` says of an instance of each unit."""
    with tempfile.TemporaryDirectory() as folder:
        units = []
        for file in (file for file in FOLDER.iterdir() if file.suffix != ".conf"):
            content = file.read_text().replace("/usr/local/bin/dormouse ", "/bin/true ")
            Path(folder, file.name).write_text(content)
            unit = Path(folder, file.name.replace("@.", "@safe."))
            unit.write_text(content)
            units.append(str(unit))
        argv = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *sorted(units)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0 or done.stderr.strip():
            yield f"systemd-analyze verify: {done.stderr.strip() or done.returncode}"


def exposed(system: dict) -> Iterator[str]:
    """A sentence when the module's service is more exposed than its documentation says."""
    stated = re.search(r"exposure level of ([0-9.]+)", DOCUMENT.read_text())
    if not stated:
        yield f"{DOCUMENT} names no exposure level"
        return
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder, "dormouse-safe.service")
        unit.write_text(unit_files(system)["dormouse-safe.service"].replace("<dormouse>", "/usr"))
        argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        level = EXPOSURE.search(done.stdout)
        if not level:
            yield f"systemd-analyze security: {done.stderr}"
        elif float(level[1]) > float(stated[1]) + TOLERANCE:
            yield f"the exposure level is {level[1]}, and {DOCUMENT} says {stated[1]}"
