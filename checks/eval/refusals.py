"""Wrong options and wrong folders are refused, with the option and what to do in the text."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from examples import Example
from nix import EvaluationError, evaluate

STORE = "/nix/store/00000000000000000000000000000000-secrets"
RUN = "dormouse-generate"

# How host.nix is called, and what the message must hold.
OPTIONS = [
    ({"zfs": False}, ["boot.supportedFilesystems"]),
    ({"hostId": None}, ["networking.hostId"]),
    ({"dormouse": {"hostName": "nobody"}}, ["services.dormouse.hostName", "`nobody`", "`desktop`", RUN]),
    (
        {"dormouse": {"secretsDir": STORE}},
        ["services.dormouse.secretsDir", STORE, "Nix store", "rotate desktop"],
    ),
    (
        {"dormouse": {"snapshots": {"daily": 99}}},
        ["services.dormouse.snapshots.daily is 99", "snapshots.daily in", RUN],
    ),
    ({"dormouse": {"secretsDir": "secrets"}}, ["services.dormouse.secretsDir", "no absolute path"]),
    ({"dormouse": {"awsCredentialsFile": STORE}}, ["services.dormouse.awsCredentialsFile", "Nix store"]),
    (
        {"dormouse": {"report": {"honeycomb": {"apiKeyFile": STORE}}}},
        ["services.dormouse.report.honeycomb.apiKeyFile", "Nix store"],
    ),
]

REPLICATION = [
    ({"identityFilePath": STORE}, ["identityFilePath", "Nix store", RUN]),
    ({"host": "other"}, [".host is", "archiver in", RUN]),
    ({"localFilesystem": "rpool/other"}, ["localFilesystem", "rpool/other", "source in", "rpool/safe", RUN]),
    ({"remoteFilesystem": "archive/other"}, ["remoteFilesystem", "target in", RUN]),
    ({"recursive": False}, ["recursive", "false", RUN]),
    ({"exclude": ["rpool/safe/other"]}, ["exclude", RUN]),
    ({"sendRaw": "never"}, ["sendRaw", "never", "auto", RUN]),
    ({"followDelete": True}, ["followDelete", "follow_delete", RUN]),
    ({"after": []}, ["replications.safe.after", "never run", RUN]),
    ({"after": ["daily"]}, ["replications.safe.after", "after in", RUN]),
    ({"timeout": 1}, ["replications.safe.timeout", "timeout in", RUN]),
]

# Refused by an option's type.
TYPES = [
    {"secretsDir": Path("/etc")},
    {"secretsDir": 1},
    {"replications": {"safe": {"after": ["yearly"]}}},
    {"replications": {"safe": {"timeout": 0}}},
    {"replications": {"safe": {"identityFilePath": Path("/etc/passwd")}}},
    {"replications": {"safe": {"nonsense": 1}}},
]


def problems(home: Example, nixpkgs: Path | None = None) -> Iterator[str]:
    """Wrong input that passes, or whose message lacks what it must say; `home` is home.json."""
    cases = OPTIONS + [({"dormouse": {"replications": {"safe": r}}}, texts) for r, texts in REPLICATION]
    twin = evaluate("host.nix", generated=home.generated, host="desktop")["options"]["replications"]["safe"]
    cases += [
        (
            {"dormouse": {"replications": {"twin": twin}}},
            ["`safe`, `twin`", "one target", "archive/desktop/safe"],
        ),
        ({"dormouse": {"replications": {"twin": twin}}}, ["replications.twin is not in", RUN]),
        ({"dormouse": {"replications": {"audit-safe": twin}}}, ["dormouse-audit-safe.service"]),
    ]
    for arguments, texts in cases:
        yield from refused(home.generated, nixpkgs, texts, arguments)
    for options in TYPES:
        try:
            evaluate("host.nix", generated=home.generated, host="desktop", dormouse=options, nixpkgs=nixpkgs)
            yield f"{options} is taken"
        except EvaluationError:
            pass
    for change, texts in FOLDERS:
        with tempfile.TemporaryDirectory() as folder:
            generated = Path(shutil.copytree(home.generated, Path(folder) / "generated"))
            change(generated)
            yield from refused(generated, nixpkgs, texts, {})


def refused(generated: Path, nixpkgs: Path | None, texts: list[str], arguments: dict) -> Iterator[str]:
    """A sentence unless one failed assertion holds all of `texts`."""
    found = evaluate("host.nix", generated=generated, host="desktop", nixpkgs=nixpkgs, **arguments)
    failed = found["failedAssertions"]
    if not any(all(text in message for text in texts) for message in failed):
        yield f"{arguments or texts}: no failed assertion says {texts}, only: {failed}"


def _without_spec(generated: Path) -> None:
    (generated / "spec.json").unlink()


def _with_secret(generated: Path) -> None:
    (generated / "hosts" / "desktop" / "id_ed25519").write_text("secret\n")


def _edited(generated: Path) -> None:
    (generated / "known_hosts").write_text("archiver ssh-ed25519 AAAA\n")


def _with_another_replication(generated: Path) -> None:
    file = generated / "spec.json"
    spec = json.loads(file.read_text())
    replications = spec["hosts"]["desktop"]["replications"]
    replications["more"] = replications["safe"]
    file.write_text(json.dumps(spec))


FOLDERS = [
    (_without_spec, ["services.dormouse.generated", "holds no spec.json", RUN]),
    (_with_secret, ["services.dormouse.generated", "hosts/desktop/id_ed25519", "--secrets"]),
    (_edited, ["services.dormouse.generated", "known_hosts", "manifest.json", RUN]),
    (_with_another_replication, ["replications.more", "would never run", RUN]),
]
