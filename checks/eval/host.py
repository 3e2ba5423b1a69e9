"""hosts/<h>/nixos.nix and modules/nixos.nix make the units that the spec asks for."""

import json
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from compare import items, same
from examples import Example, login, seconds
from nix import HERE, REPOSITORY, evaluate

# DORMOUSE_BLESS=1 checks/nix-checks.sh writes it anew; read the diff.
UNITS = HERE / "units.json"

RIGHTS = REPOSITORY / "modules" / "nixos" / "zfs-rights.json"

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
        defaults = {
            "DORMOUSE_SPEC": "<generated>/spec.json",
            "DORMOUSE_GENERATED": "<generated>",
            "DORMOUSE_HOST": name,
            "DORMOUSE_SECRETS": secrets.replace("~/", "/root/", 1),
            "DORMOUSE_SSH": "<openssh>/bin/ssh",
        }
        yield from wrapper(found["wrapper"], defaults)
    yield from report(host.get("report"), found["options"]["report"])
    yield from known_hosts(example, host, found["knownHosts"])
    yield from same("replications", set(found["options"]["replications"]), set(host["replications"]))
    jobs = {f"dormouse-{prefix}{name}" for name in host["replications"] for prefix in ("", "audit-")}
    timers = set(jobs)
    if "report" in host:
        jobs.add("dormouse-report")
        yield from reporter(host["report"], found["services"]["dormouse-report"]["serviceConfig"])
    if host.get("report", {}).get("notify"):
        jobs.add("dormouse-stale")
        timers.add("dormouse-stale")
        yield from stale(host["report"]["notify"], found)
    yield from same("services", set(found["services"]), jobs | {"zfs-dormouse"})
    yield from same("timers", set(found["timers"]), timers)
    yield from datasets(found, host["replications"].values())
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
        snapshots = [f"zfs-snapshot-{snapshot_class}.service" for snapshot_class in spec["after"]]
        provider = example.spec["archivers"][spec["archiver"]]["provider"]["type"]
        yield from service(
            found["services"][f"dormouse-{replication}"],
            ["replicate", replication],
            snapshots,
            spec["exec_stop_post"],
            service_config(host, replication, name, secrets, provider),
        )
        reporters = ["dormouse-report.service"] if "report" in host else []
        yield from same("onFailure", found["services"][f"dormouse-{replication}"]["onFailure"], reporters)
        yield from service(
            found["services"][f"dormouse-audit-{replication}"],
            ["replicate", "--audit", replication],
            [],
            spec["exec_stop_post"],
            service_config(host, replication, name, secrets, provider),
        )
        timer = found["timers"][f"dormouse-{replication}"]
        yield from same(f"{replication}: timer: wantedBy", timer["wantedBy"], snapshots)
        yield from same(f"{replication}: timer: after", timer["after"], snapshots)
        audit = found["timers"][f"dormouse-audit-{replication}"]
        yield from same(f"{replication}: audit", audit["timerConfig"]["OnCalendar"], "weekly")
        yield from same(f"{replication}: audit: wantedBy", audit["wantedBy"], ["timers.target"])


def datasets(found: dict, replications: Iterable[dict]) -> Iterator[str]:
    """What differs in the user, and in what the datasets get."""
    yield from same("user", found["users"]["dormouse"], {"group": "dormouse", "isSystemUser": True})
    sources = list(dict.fromkeys(replication["source"] for replication in replications))
    start = [words(line) for line in found["services"]["zfs-dormouse"]["serviceConfig"]["ExecStart"]]
    rights = ",".join(json.loads(RIGHTS.read_text()))
    expected = [
        ["-<shell>", "<modules>/auto-snapshot.sh", *sources],
        ["<shell>", "<modules>/grant.sh", "dormouse", rights, *sources],
    ]
    yield from same("datasets", start, expected)


def stale(notify: dict, found: dict) -> Iterator[str]:
    """What differs in the service that tells of late replications, and its timer."""
    service_of, timer = found["services"]["dormouse-stale"], found["timers"]["dormouse-stale"]
    yield from same("stale: arguments", words(service_of["serviceConfig"]["ExecStart"])[9:], ["alarm", "check"])
    urls = {"notify.ntfy.url_file": notify["ntfy"]["url_file"]} if "ntfy" in notify else {}
    yield from items("stale", service_of["serviceConfig"], {"User": "dormouse"} | credentials(urls))
    yield from same("stale: wantedBy", timer["wantedBy"], ["timers.target"])


def reporter(sinks: dict, found: dict) -> Iterator[str]:
    """What differs in the service that tells of runs which could not."""
    yield from same("report: arguments", words(found["ExecStart"])[9:], ["report"])
    expected = {"User": "dormouse", "ReadWritePaths": written(sinks)}
    yield from items("report", found, expected | credentials(report_secrets(sinks)))


def written(sinks: dict) -> list[str]:
    """Where a report writes."""
    return [f"-{sinks['prometheus']['textfile_dir']}"] if "prometheus" in sinks else []


def credentials(secrets: dict[str, str]) -> dict[str, list[str]]:
    """How systemd hands over the secrets of a report, of which none may be missing for it."""
    return {
        "LoadCredential": [f"{name}:{path}" for name, path in sorted(secrets.items())],
        "SetCredential": [f"{name}:\\n" for name in sorted(secrets)],
    }


def report_secrets(sinks: dict) -> dict[str, str]:
    """The files that a run's report needs, by the names of their fields."""
    fields = {
        "honeycomb": ["api_key_file"],
        "otlp": ["headers_file"],
        "ping": ["url_file"],
        "webhook": ["headers_file", "url_file"],
    }
    return {
        f"{sink}.{field}": sinks[sink][field]
        for sink, names in fields.items()
        for field in names
        if field in sinks.get(sink, {})
    }


def service_config(host: dict, replication: str, name: str, secrets: str, provider: str) -> dict:
    """What the spec says of a service, and what must be so for every one."""
    spec, sinks = host["replications"][replication], host.get("report", {})
    folder = secrets.replace("~/", "/root/", 1)
    identity = f"hosts/{name}/id_ed25519"
    loaded = [f"{identity.replace('/', '_')}:{folder}/{identity}"]
    loaded.append(f"aws-credentials:{folder}/aws-credentials")
    reported = credentials(report_secrets(sinks))
    record_key = f"hosts/{name}/record_key"
    signing = credentials({record_key.replace("/", "_"): f"{folder}/{record_key}"})
    optional = {key: signing[key] + reported[key] for key in reported}
    return {
        "ExecStartPre": spec["exec_start_pre"],
        "LoadCredential": (loaded if provider == "ec2" else loaded[:1]) + optional["LoadCredential"],
        "ReadWritePaths": written(sinks),
        "SetCredential": optional["SetCredential"],
        "TimeoutStartSec": seconds(spec["timeout"]),
        "Type": "oneshot",
        "User": "dormouse",
    }


def service(
    found: dict, command: list[str], snapshots: list[str], stop: list[str], expected: dict
) -> Iterator[str]:
    """What differs in one service."""
    what = " ".join(command)
    before = ["network-online.target", "zfs-dormouse.service"]
    yield from same(f"{what}: wantedBy", found["wantedBy"], [])
    yield from same(f"{what}: after", found["after"], [*before, *snapshots])
    yield from same(f"{what}: wants", found["wants"], before)
    yield from same(f"{what}: restartIfChanged", found["restartIfChanged"], False)
    config = found["serviceConfig"]
    loaded = [each.replace("%%", "%") for each in config["LoadCredential"]]
    yield from items(what, config | {"LoadCredential": loaded}, expected)
    is_on_ec2 = any(each.startswith("aws-credentials:") for each in expected["LoadCredential"])
    environment = {"AWS_SHARED_CREDENTIALS_FILE": "%d/aws-credentials"} if is_on_ec2 else {}
    yield from same(f"{what}: environment", found["environment"], environment)
    start = ["<dormouse>/bin/dormouse", "--spec", "<generated>/spec.json", "--generated", "<generated>"]
    end = ["--ssh", "<openssh>/bin/ssh"]
    argv = words(config["ExecStart"])
    yield from same(f"{what}: ExecStart", [*argv[:5], *argv[7:]], [*start, *end, *command])
    first, *rest = config["ExecStopPost"]
    argv = words(first.removeprefix("-"))
    yield from same(
        f"{what}: ExecStopPost", [*argv[:5], *argv[7:]], [*start, *end, "report", "--keep", command[-1]]
    )
    yield from same(f"{what}: ExecStopPost", rest, stop)


def wrapper(found: list[str], expected: dict[str, str]) -> Iterator[str]:
    """What differs in what a person's `dormouse` knows."""
    words = shlex.split(found[0])
    yield from same("wrapper", dict(zip(words[3::3], words[4::3], strict=True)), expected)


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
