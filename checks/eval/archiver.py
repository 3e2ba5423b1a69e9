"""archivers/<a>/configuration.nix is the system that the spec asks for."""

import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from compare import items, same
from examples import Example, login, seconds
from nix import evaluate

# What the hosts' keys start.
GATE = "/etc/dormouse/gate"
SCRUB_PERIODS = {"weekly": 7 * 86400, "monthly": 30 * 86400}

# Nobody gets in without a key, and nobody goes on from there.
SSH_SETTINGS = {
    "AllowAgentForwarding": False,
    "AllowTcpForwarding": False,
    "KbdInteractiveAuthentication": False,
    "PasswordAuthentication": False,
    "PermitRootLogin": "prohibit-password",
    "PermitTunnel": False,
    "X11Forwarding": False,
}


def problems(example: Example, nixpkgs: Path | None = None) -> Iterator[str]:
    """What differs between a spec and the EC2 archivers made of it; of the first with nixpkgs."""
    archivers = example.spec["archivers"]
    names = [name for name, archiver in archivers.items() if archiver["provider"]["type"] == "ec2"]
    for name in names[: 1 if nixpkgs else None]:
        found = evaluate("archiver.nix", generated=example.generated, archiver=name, nixpkgs=nixpkgs)
        for problem in compare(example, name, found):
            yield f"{example.name}: archiver {name}: {problem}"


def compare(example: Example, name: str, found: dict) -> Iterator[str]:
    """What differs between a spec's archiver and its evaluated system."""
    archiver = example.spec["archivers"][name]
    expected = {
        "hostName": name,
        # Whatever else changes, this must not: the pool knows its host by it.
        "hostId": hashlib.sha256(f"{example.spec['name']}/{name}".encode()).hexdigest()[:8],
        "zfs": True,
        "forceImportRoot": False,
        "rebuildsAtBoot": False,
        "warnings": [],
    }
    yield from items("system", found, expected)
    release = archiver["provider"]["image"].get("nixos")
    if release:
        yield from same("stateVersion", found["stateVersion"], release)
    yield from of_ssh(example, name, found)
    yield from of_units(example, name, found)
    if "169.254.169.254" not in found["firewall"]:
        yield "every user may ask the metadata service for the host key"
    if not any("/etc/nixos/configuration.nix 0600" in rule for rule in found["tmpfiles"]):
        yield "everyone may read the copy of the user data in /etc/nixos"


def of_ssh(example: Example, name: str, found: dict) -> Iterator[str]:
    """What differs in who may log in, and how."""
    hosts = targets(example, name)
    keys = {
        login(example, host, name): [(["bash", GATE, host, *hosts[host]], example.public_key("hosts", host))]
        for host in hosts
    }
    keys["root"] = [([], example.public_key(".", "admin"))]
    given = {user: [confined(line) for line in lines] for user, lines in found["keys"].items()}
    yield from same("keys", given, keys)
    if "zfs receive" not in found["etc"].get(GATE.removeprefix("/etc/"), ""):
        yield f"there is no {GATE}"
    ssh = found["ssh"]
    yield from same("ssh: AllowUsers", set(ssh["settings"]["AllowUsers"]), set(keys))
    yield from items("ssh", ssh["settings"], SSH_SETTINGS)
    yield from same("ssh: ports", ssh["ports"], [example.spec["archivers"][name]["ssh_port"]])
    yield from same("ssh: authorizedKeysFiles", ssh["authorizedKeysFiles"], ["/etc/ssh/authorized_keys.d/%u"])
    yield from same("ssh: host keys", [key["type"] for key in ssh["hostKeys"]], ["ed25519"])


def confined(line: str) -> tuple[list[str], str]:
    """The one command that a line of authorized_keys lets its key start, if it says so; and the key."""
    match = re.fullmatch(r'restrict,command="([^"]+)" (.+)', line)
    command = shlex.split(match[1]) if match else []
    key = " ".join((match[2] if match else line).split()[:2])
    return [Path(word).name for word in command[:1]] + command[1:], key


def of_units(example: Example, name: str, found: dict) -> Iterator[str]:
    """What differs in what runs on the archiver."""
    archiver = example.spec["archivers"][name]
    pool = archiver["pool"]["name"]
    services = {
        f"dormouse-{each}" for each in ("pool", "volume", "damage", "idle", "identity", "max-lifetime", "abandon@")
    }
    period = SCRUB_PERIODS.get(archiver["scrub"])
    if period:
        services.add("dormouse-scrub")
    retention = archiver.get("retention")
    if retention:
        services.add("dormouse-prune")
    timers = {"dormouse-idle", "dormouse-max-lifetime"}
    yield from same("services", set(found["services"]), services)
    yield from same("timers", set(found["timers"]), timers)
    if not services <= set(found["services"]) or not timers <= set(found["timers"]):
        return
    for timer in found["timers"].values():
        yield from same("timer: wantedBy", timer["wantedBy"], ["timers.target"])
    lifetime = found["timers"]["dormouse-max-lifetime"]["timerConfig"]["OnBootSec"]
    yield from same("max_lifetime", lifetime, seconds(archiver["max_lifetime"]))
    scripts = {unit: service["script"] for unit, service in found["services"].items()}
    yield from contains(scripts["dormouse-idle"], f"-ge {seconds(archiver['linger'])} ", "linger")
    yield from contains(scripts["dormouse-identity"], example.public_key("archivers", name), "host key")
    yield from contains(scripts["dormouse-max-lifetime"], "systemctl poweroff", "max_lifetime")
    if period:
        yield from contains(scripts["dormouse-scrub"], f"-ge {period} ", "scrub")
    yield from same("damage", words(scripts["dormouse-damage"])["zpool wait"], [pool])
    for kind, number in (retention or {}).items():
        yield from contains(scripts["dormouse-prune"], f"[{kind}]={number} ", "retention")
    # udev puts `_` for a space in a label.
    label = pool.replace(" ", "_")
    yield from contains(found["udev"], f'ENV{{ID_FS_LABEL}}=="{label}"', "udev rule")
    commands = words(scripts["dormouse-pool"])
    yield from same("import", commands["zpool import"], [pool])
    yield from same("export", words(found["services"]["dormouse-pool"]["preStop"])["zpool export"], [pool])
    delegated = sorted(
        f"{login(example, host, name)} {target}"
        for host, received in targets(example, name).items()
        for target in received
    )
    yield from same("delegated", sorted(commands["delegate"]), delegated)
    allowed = sorted(words(scripts["dormouse-abandon@"])["allow"])
    yield from same("may give up partial data", allowed, [each.replace(" ", ":", 1) for each in delegated])


def targets(example: Example, archiver: str) -> dict[str, list[str]]:
    """The hosts that replicate to an archiver, with the datasets that they send to."""
    hosts: dict[str, list[str]] = {}
    for name, host in example.spec["hosts"].items():
        for replication in host["replications"].values():
            if replication["archiver"] == archiver:
                hosts.setdefault(name, []).append(replication["target"])
    return hosts


def words(script: str) -> dict[str, list[str]]:
    """What a script gives to the commands that say what it is for."""
    found: dict[str, list[str]] = {
        command: [] for command in ("zpool import", "zpool export", "zpool wait", "delegate", "allow")
    }
    for line in script.splitlines():
        for command, arguments in found.items():
            if line.strip().startswith(f"{command} "):
                given = shlex.split(line)
                arguments.append(" ".join(given[1:]) if command == "delegate" else given[-1])
    return found


def contains(text: str, part: str, what: str) -> Iterator[str]:
    """A sentence unless `text` holds `part`."""
    if part not in text:
        yield f"{what}: {part!r} is not in {text!r}"
