"""The NixOS module's units on the home host: evaluated for its spec, written for its systemd."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from checks.eval.unit_files import unit_files
from checks.lab import process
from checks.lab.product import FOLDER, Product
from checks.lab.vm import Vm

CHECKOUT = Path(__file__).parents[2]
MODULES = CHECKOUT / "modules" / "nixos"
SCRIPTS = ("auto-snapshot.sh", "grant.sh")
SYSTEMD = "/etc/systemd/system"
USER = "dormouse"

# What the evaluation puts for store paths, and where it is here.
PLACES = {
    "<dormouse>/bin": "/usr/local/bin",
    "<generated>": f"{FOLDER}/generated",
    "<modules>": f"{FOLDER}/modules",
    "<openssh>/bin": "/usr/bin",
    "<shell>": "/bin/sh",
}


def rights() -> list[str]:
    """The rights that the module grants."""
    found: list[str] = json.loads((MODULES / "zfs-rights.json").read_text())
    return found


def evaluate(product: Product, options: dict[str, Any]) -> dict[str, Any]:
    """What the module makes of the host's nixos.nix, with options forced over it."""
    nix = ["nix-instantiate", "--eval", "--strict", "--json", "--readonly-mode", "--store", "dummy://"]
    arguments = {
        "generated": f"/. + {json.dumps(str(product.generated))}",
        "host": '"home"',
        "dormouse": f"builtins.fromJSON {json.dumps(json.dumps(options))}",
    }
    argv = [*nix, str(CHECKOUT / "checks/eval/host.nix")]
    for name, value in arguments.items():
        argv += ["--arg", name, value]
    system: dict[str, Any] = json.loads(process.run(argv).stdout)
    assert system["failedAssertions"] == [], system["failedAssertions"]
    return system


@contextmanager
def installed(product: Product, **options: Any) -> Iterator[None]:
    """The units and their user are there; afterwards they are not."""
    home = product.lab.home
    files = {name: placed(text) for name, text in unit_files(evaluate(product, options)).items()}
    home.run(["useradd", "--system", "--home-dir", "/nonexistent", USER])
    try:
        for script in SCRIPTS:
            home.put(f"{FOLDER}/modules/{script}", (MODULES / script).read_bytes(), 0o755)
        home.run(["chmod", "-R", "a+rX", FOLDER])
        for name, text in files.items():
            home.put(f"{SYSTEMD}/{name}", text.encode(), 0o644)
        home.run(["systemctl", "daemon-reload"])
        for name, text in files.items():
            if "[Install]" in text:
                home.run(["systemctl", "enable", name])
        yield
    finally:
        remove(home, list(files))


@contextmanager
def shipped(home: Vm) -> Iterator[None]:
    """The units of systemd/ and what their how-to says to do besides."""
    files = {file.name: file for file in (CHECKOUT / "systemd").iterdir() if file.suffix != ".conf"}
    try:
        home.run(["useradd", "--system", "--home-dir", "/nonexistent", USER])
        home.run(["zfs", "allow", "-u", USER, ",".join(rights()), "tank/safe"])
        home.run(["mkdir", "-p", "/etc/dormouse"])
        home.run(["cp", "-R", f"{FOLDER}/generated", "/etc/dormouse"])
        home.run(["chmod", "-R", "a+rX", "/etc/dormouse"])
        for name, file in files.items():
            home.put(f"{SYSTEMD}/{name}", file.read_bytes(), 0o644)
        home.run(["systemctl", "daemon-reload"])
        yield
    finally:
        remove(home, list(files))
        home.run(["rm", "-rf", "/etc/dormouse"])


def remove(home: Vm, names: list[str]) -> None:
    home.run(["systemctl", "disable", "--now", *names], check=False)
    home.run(["zfs", "unallow", "-u", USER, "tank/safe"], check=False)
    home.run(["sh", "-c", f"cd {SYSTEMD} && rm -f -- {' '.join(names)}"])
    home.run(["systemctl", "daemon-reload"])
    home.run(["systemctl", "reset-failed"])
    home.run(["rm", "-rf", "/var/lib/dormouse"])
    home.run(["userdel", USER])


def placed(text: str) -> str:
    """A unit file with the places of this machine."""
    for place, real in PLACES.items():
        text = text.replace(place, real)
    return text
