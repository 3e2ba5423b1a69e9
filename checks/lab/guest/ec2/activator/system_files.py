"""Every file that a configuration makes: the whole difference between two generations."""

from typing import Any

from . import sshd_config, unit_files
from .unit_files import SYSTEM, File, Files

TMPFILES = "/etc/tmpfiles.d/00-nixos.conf"
MODULES = "/etc/modules-load.d/nixos.conf"
AMAZON_INIT = "amazon-init.service"
NO_UNIT = {"before": [], "after": [], "wants": [], "unitConfig": {}}


def of(system: dict[str, Any]) -> Files:
    services = dict(system["systemd"]["services"])
    if commands := system["networking"]["firewall"]["extraCommands"]:
        services["firewall"] = firewall(commands)
    return {
        **sshd_config.files(system["services"]["openssh"], system["users"]["users"]),
        **unit_files.services(services),
        **unit_files.timers(system["systemd"]["timers"]),
        **amazon_init(system["virtualisation"]["amazon-init"]["enable"]),
        **plain(MODULES, modules(system["boot"]["supportedFilesystems"])),
        **plain("/etc/udev/rules.d/99-local.rules", system["services"]["udev"]["extraRules"]),
        **plain(TMPFILES, "\n".join(system["systemd"]["tmpfiles"]["rules"])),
        **etc(system["environment"]["etc"]),
        **polkit(system["security"]["polkit"]),
    }


def plain(path: str, text: str) -> Files:
    return {path: File(text.rstrip("\n") + "\n")} if text else {}


def modules(file_systems: list[str]) -> str:
    """NixOS has ZFS among `boot.kernelModules` where it is among the file systems."""
    return "zfs" if "zfs" in file_systems else ""


def etc(files: dict[str, dict[str, str]]) -> Files:
    return {f"/etc/{name}": File(file["text"]) for name, file in files.items()}


def polkit(options: dict[str, Any]) -> Files:
    return plain("/etc/polkit-1/rules.d/10-nixos.rules", options["extraConfig"]) if options["enable"] else {}


def amazon_init(enabled: bool) -> Files:
    """The image's own unit, which a baked image must not have."""
    if not enabled:
        return {}
    return {
        f"{SYSTEM}/{AMAZON_INIT}": File(target=f"/usr/local/lib/lab/ec2/{AMAZON_INIT}"),
        f"{SYSTEM}/multi-user.target.wants/{AMAZON_INIT}": File(target=f"../{AMAZON_INIT}"),
    }


def firewall(commands: str) -> dict[str, Any]:
    """Only the commands that the configuration adds: here EC2's security group lets in or not."""
    return NO_UNIT | {
        "description": "Firewall",
        "wantedBy": ["multi-user.target"],
        "path": [f"{unit_files.PACKAGES}/iptables"],
        "serviceConfig": {"Type": "oneshot", "RemainAfterExit": True},
        "script": commands,
        "scriptArgs": "",
        "preStop": "",
    }
