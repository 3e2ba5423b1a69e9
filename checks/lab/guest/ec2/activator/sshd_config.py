"""sshd's configuration and the keys that may log in."""

from collections.abc import Iterator
from typing import Any

from .unit_files import File, Files

PATH = "/etc/ssh/sshd_config"
KEYS = "/etc/ssh/authorized_keys.d"
# What NixOS sets where the configuration says nothing else.
DEFAULTS = {
    "UsePAM": True,
    "PrintMotd": False,
    "StrictModes": True,
    "UseDNS": False,
    "X11Forwarding": False,
    "PasswordAuthentication": True,
    "KbdInteractiveAuthentication": True,
    "PermitRootLogin": "prohibit-password",
    "LogLevel": "INFO",
}
# Keywords whose values are separated by spaces; all others take commas.
SPACED = {"AllowUsers", "AllowGroups", "DenyUsers", "DenyGroups", "AcceptEnv", "AuthorizedKeysFile"}


def files(openssh: dict[str, Any], users: dict[str, Any]) -> Files:
    made = {PATH: File("\n".join([*lines(openssh), ""]))}
    for name, user in users.items():
        keys = user["openssh"]["authorizedKeys"]["keys"]
        if keys:
            made[f"{KEYS}/{name}"] = File("".join(f"{key}\n" for key in keys))
    return made


def lines(openssh: dict[str, Any]) -> Iterator[str]:
    yield from (f"Port {port}" for port in openssh["ports"])
    yield from (f"HostKey {key['path']}" for key in openssh["hostKeys"])
    yield "AuthorizedKeysFile " + " ".join(openssh["authorizedKeysFiles"])
    yield "Subsystem sftp internal-sftp"
    # Debian's own service is for the sshd of the lab's other machines.
    yield "PAMServiceName nixos-sshd"
    for keyword, value in (DEFAULTS | openssh["settings"]).items():
        yield f"{keyword} {shown(keyword, value)}"


def shown(keyword: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return (" " if keyword in SPACED else ",").join(value)
    return str(value)
