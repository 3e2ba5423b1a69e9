"""hosts/<h>/nixos.nix and modules/nixos.nix make the units that the spec asks for."""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from compare import items, same
from examples import Example, login, seconds
from nix import HERE, REPOSITORY, evaluate

# DORMOUSE_BLESS=1 checks/nix-checks.sh writes it anew; read the diff.
UNITS = HERE / "units.json"

OPTIONS = {
    "host": "archiver",
    "localFilesystem": "source",
    "remoteFilesystem": "target",
    "recursive": "recursive",
    "exclude": "exclude",
    "sendRaw": "raw",
    "followDelete": "follow_delete",
    "after": "after",
    "execStartPre": "exec_start_pre",
    "execStopPost": "exec_stop_post",
}


def problems(example: Example, nixpkgs: Path | None = None) -> Iterator[str]:
    """What differs between a spec and the hosts made of it; of the first host only with nixpkgs."""
    for host in list(example.spec["hosts"])[: 1 if nixpkgs else None]:
        found = evaluate("host.nix", generated=example.generated, host=host, nixpkgs=nixpkgs)
        for problem in compare(example, host, found):
            yield f"{example.name}: host {host}: {problem}"


def golden() -> Iterator[str]:
    """What differs from units.json, which shows the units of home.json's host to readers."""
    generated = REPOSITORY / "generator" / "tests" / "golden" / "home"
    found = evaluate("host.nix", generated=generated, host="desktop")
    units = {kind: found[kind] for kind in ("services", "timers")}
    if "DORMOUSE_BLESS" in os.environ:
        UNITS.write_text(json.dumps(units, indent=2, sort_keys=True) + "\n")
    yield from same("units", units, json.loads(UNITS.read_text()))


def compare(example: Example, name: str, found: dict) -> Iterator[str]:
    """What differs between a spec's host and its evaluated system."""
    host = example.spec["hosts"][name]
    default = f"~/.local/state/dormouse/{example.spec['name']}/secrets"
    secrets = host.get("secrets_dir", default).rstrip("/")
    yield from same("failed assertions", found["failedAssertions"], [])
    yield from same("hostName", found["options"]["hostName"], name)
    yield from same("secretsDir", found["options"]["secretsDir"], secrets)
    yield from same("autoSnapshot", found["autoSnapshot"], {"enable": True} | host["snapshots"])
    if found["wrapper"]:
        yield from wrapper(found["wrapper"], name, secrets)
    yield from report(host.get("report"), found["options"]["report"])
    yield from known_hosts(example, host, found["knownHosts"])
    yield from same("replications", set(found["options"]["replications"]), set(host["replications"]))
    units = {f"dormouse-{r}" for r in host["replications"]} | {
        f"dormouse-audit-{r}" for r in host["replications"]
    }
    yield from same("services", set(found["services"]), units)
    yield from same(
        "timers", set(found["timers"]), {unit for unit in units if unit.startswith("dormouse-audit-")}
    )
    for replication, spec in host["replications"].items():
        expected = {option: spec[field] for option, field in OPTIONS.items()}
        expected |= {
            "identityFilePath": f"{secrets}/hosts/{name}/id_ed25519",
            "timeout": seconds(spec["timeout"]),
            "username": login(example, name, spec["archiver"]),
        }
        yield from items(
            f"replications.{replication}", found["options"]["replications"][replication], expected
        )
        command = ["replicate", replication]
        yield from service(
            found["services"][f"dormouse-{replication}"], spec, name, secrets, command, spec["after"]
        )
        audit = ["replicate", "--audit", replication]
        yield from service(found["services"][f"dormouse-audit-{replication}"], spec, name, secrets, audit, [])


def service(
    found: dict, spec: dict, host: str, secrets: str, command: list[str], after: list[str]
) -> Iterator[str]:
    """What differs in one service."""
    what = " ".join(command)
    snapshots = [f"zfs-snapshot-{snapshot_class}.service" for snapshot_class in after]
    yield from same(f"{what}: wantedBy", found["wantedBy"], snapshots)
    yield from same(f"{what}: after", found["after"], ["network-online.target", *snapshots])
    yield from same(f"{what}: restartIfChanged", found["restartIfChanged"], False)
    expected = {
        "ExecStartPre": spec["exec_start_pre"],
        "ExecStopPost": spec["exec_stop_post"],
        "RuntimeDirectory": "dormouse",
        "TimeoutStartSec": seconds(spec["timeout"]),
        "Type": "oneshot",
    }
    yield from items(what, found["serviceConfig"], expected)
    argv = ["<dormouse>/bin/dormouse", "--spec", "<generated>/spec.json", "--generated", "<generated>"]
    folder = secrets.replace("~/", "/root/", 1)
    argv += ["--host", host, "--secrets", folder, "--identity", f"{folder}/hosts/{host}/id_ed25519"]
    argv += ["--ssh", "<openssh>/bin/ssh", *command]
    yield from same(f"{what}: ExecStart", words(found["serviceConfig"]["ExecStart"]), argv)


def wrapper(found: list[str], host: str, secrets: str) -> Iterator[str]:
    """What differs in the settings of the administrator's `dormouse`."""
    words = shlex.split(found[0])
    settings = dict(zip(words[3::3], words[4::3], strict=True))
    expected = {
        "DORMOUSE_SPEC": "<generated>/spec.json",
        "DORMOUSE_GENERATED": "<generated>",
        "DORMOUSE_HOST": host,
        "DORMOUSE_SECRETS": secrets.replace("~/", "/root/", 1),
        "DORMOUSE_SSH": "<openssh>/bin/ssh",
    }
    yield from same("wrapper", settings, expected)


def words(line: str) -> list[str]:
    """The arguments that systemd makes of an ExecStart line."""
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]


def report(spec: dict | None, found: dict | None) -> Iterator[str]:
    """What differs in who hears of runs."""
    if spec is None:
        yield from same("report", found, None)
        return
    honeycomb = spec.get("honeycomb")
    if honeycomb:
        honeycomb = {"dataset": honeycomb["dataset"], "apiKeyFile": honeycomb["api_key_file"]}
    yield from same("report", found, {"honeycomb": honeycomb, "alertAfter": seconds(spec["alert_after"])})


def known_hosts(example: Example, host: dict, found: dict) -> Iterator[str]:
    """What differs in the host keys: each archiver's, under every name that ssh looks up."""
    archivers = {replication["archiver"] for replication in host["replications"].values()}
    yield from same("knownHosts", set(found), archivers)
    for name in archivers & set(found):
        archiver = example.spec["archivers"][name]
        provider = archiver["provider"]
        given = provider.get("host_key")
        key = " ".join(given.split()[:2]) if given else example.public_key("archivers", name)
        yield from same(f"knownHosts.{name}: key", " ".join(found[name]["publicKey"].split()[:2]), key)
        addresses = {name} | ({provider["address"]} if provider["type"] == "static" else set())
        port = archiver["ssh_port"]
        reached = {a if port == 22 else f"[{a}]:{port}" for a in addresses}
        reached.add(f"{name}.{example.spec['name']}.dormouse")
        yield from same(f"knownHosts.{name}: names", set(found[name]["hostNames"]), reached)
