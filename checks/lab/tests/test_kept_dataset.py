"""A NAS whose root keeps copies unmounted and read-only, below one dataset, and confines hosts to the gate."""

import json
from collections.abc import Iterator

import pytest

from checks.lab import pool, tree
from checks.lab.cycle import SOURCE
from checks.lab.pool import zfs
from checks.lab.process import Result
from checks.lab.product import FOLDER, SAFE, Product
from checks.lab.vm import Vm

KEPT = "vault/dormouse"
COPY = f"{KEPT}/home/safe"
USER = "nas"


@pytest.fixture(name="nas")
def host_of_a_nas(product: Product, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """The host enters as a user without rights."""
    archiver = product.lab.archiver
    archiver.run(["useradd", "--create-home", "--password", "*", USER])
    archiver.run(["install", "-d", "-o", USER, "-m", "700", f"/home/{USER}/.ssh"])
    product.replications["safe"] = {**SAFE, "target": COPY}
    spec = product.make_spec()
    spec["archivers"]["archiver"]["provider"] |= {"user": USER, "dataset": KEPT, "gate": True}
    monkeypatch.setattr(product, "make_spec", lambda: spec)
    product.generate()
    product.install_home()
    generated = product.generated / "archivers/archiver"
    archiver.put(f"/home/{USER}/.ssh/authorized_keys", (generated / "authorized_keys").read_bytes())
    archiver.run(["chown", USER, f"/home/{USER}/.ssh/authorized_keys"])
    archiver.run(["install", "-d", "/etc/dormouse"])
    archiver.put("/etc/dormouse/gate", (generated / "gate").read_bytes(), 0o644)
    archiver.put("/etc/tmpfiles.d/dormouse-gate.conf", (generated / "gate.tmpfiles").read_bytes(), 0o644)
    archiver.run(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/dormouse-gate.conf"])
    yield product
    archiver.run(["rm", "-rf", "/etc/dormouse", "/etc/tmpfiles.d/dormouse-gate.conf", "/run/dormouse-gate"])
    archiver.run(["userdel", "-r", USER], check=False)


def settings(archiver: Vm, dataset: str) -> str:
    """All that is set on a dataset and those below, and where each value comes from."""
    columns = ["-o", "name,property,value,source", "-s", "local,default,inherited,received,temporary"]
    return zfs(archiver, "get", "-H", "-r", *columns, "all", dataset).stdout


def as_host(product: Product, command: str) -> Result:
    """Runs a command on the archiver with the host's key."""
    ssh = ["ssh", "-F", f"{FOLDER}/generated/hosts/home/ssh_config", "-o", "BatchMode=yes", "archiver", command]
    return product.lab.home.run(ssh, check=False)


def finding(product: Product) -> dict[str, str]:
    findings = product.report("doctor")["findings"]
    return next(each for each in findings if each["check"] == "copies on archiver")


def test_a_nas_keeps_copies_unmounted_whatever_a_host_sends(nas: Product) -> None:
    home, archiver = nas.lab.home, nas.lab.archiver
    zfs(archiver, "create", "-o", "com.sun:auto-snapshot=true", "vault/media")
    zfs(archiver, "create", "-o", "recordsize=1M", "vault/media/films")
    before = settings(archiver, "vault/media")
    missing = finding(nas)
    assert missing["state"] == "bad", missing
    archiver.run(["sh", "-c", missing["fix"].split("`")[1]])
    made = finding(nas)
    assert made["state"] == "good", made

    zfs(home, "create", f"{SOURCE}/child")
    zfs(home, "create", "-V", "8M", f"{SOURCE}/disk")
    for name in ("one", "two"):
        tree.snapshot(home, SOURCE, name)
        sent = nas.run("replicate")
        assert sent.code == 0 and "denied" not in sent.stderr, sent
    assert tree.guids(home, SOURCE).items() <= tree.guids(archiver, COPY).items()
    audit = nas.run("replicate", "--audit")
    assert audit.code == 0 and "denied" not in audit.stderr, audit
    assert zfs(archiver, "get", "-H", "-r", "-s", "received", "all", KEPT).stdout == ""

    # A stream that mounts itself at a directory of the system.
    zfs(archiver, "create", "-o", "mountpoint=/etc/cron.d", "-o", "canmount=noauto", "-o", "readonly=off", "vault/evil")
    zfs(archiver, "snapshot", "vault/evil@s")
    archiver.run(["sh", "-c", "zfs send -p vault/evil@s >/tmp/stream && zfs destroy -r vault/evil"])
    receive = f"zfs receive -u {KEPT}/home/evil </tmp/stream"
    archiver.run(["runuser", "-u", USER, "--", "sh", "-c", receive], check=False)
    assert pool.value(archiver, "mountpoint", f"{KEPT}/home/evil") == "none"

    archiver.run(["zpool", "export", "vault"])
    archiver.run(["zpool", "import", "-d", "/dev/disk/by-id", "vault"])
    archiver.run(["zfs", "mount", "-a"])
    mounted = zfs(archiver, "list", "-H", "-r", "-t", "filesystem", "-o", "name,mounted,readonly", KEPT).stdout
    assert {tuple(line.split("\t")[1:]) for line in mounted.splitlines()} == {("no", "on")}, mounted
    assert not archiver.run(["ls", "/dev/zvol/vault/dormouse"], check=False).stdout
    assert settings(archiver, "vault/media") == before

    zfs(home, "destroy", "-r", SOURCE)
    restored = nas.run("restore", "-r", SOURCE)
    assert restored.code == 0, restored
    record = json.loads(pool.value(archiver, "dormouse:properties", COPY))
    assert record["of"] == SOURCE and record["mac"], record

    # The host's key starts nothing else.
    for command in (f"zfs destroy {COPY}@one", f"zfs receive -F {COPY}", "zfs list vault/media", "id"):
        refused = as_host(nas, command)
        assert refused.code == 126 and "permission denied" in refused.stderr, refused
    assert tree.guids(home, SOURCE).items() <= tree.guids(archiver, COPY).items()

    # `doctor` notices a later change.
    zfs(archiver, "set", "readonly=off", KEPT)
    changed = finding(nas)
    assert changed["state"] == "bad" and f"zfs set readonly=on {KEPT}" in changed["fix"], changed
