"""The rights on an archiver's volume, on real ZFS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.lab import disk
from checks.lab.disk import Disk
from checks.lab.instance import Instance
from checks.lab.tests import guest
from checks.lab.tests.generated import Archiver
from checks.lab.tests.site import Site

DEVICE = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef1"
# What a NixOS system gave a host's user before numbers were fixed.
OLD_UID = "997"
LEGACY = "canmount,create,hold,mount,mountpoint,readonly,receive,send,userprop,volmode"


@pytest.fixture(scope="module")
def volume(site: Site) -> Disk:
    return disk.make_disk(site.folder, "vol0123456789abcdef1", 1 << 30)


@pytest.fixture(scope="module")
def machine(site: Site, generated: Archiver, baked: Path, volume: Disk) -> Iterator[Instance]:
    """An instance with a pool that an older configuration left."""
    instance = site.instance("rights", generated.user_data, baked)
    instance.boot(site.image)
    guest.entered(instance, generated.admin())
    instance.wait_lab()
    instance.run(["systemctl", "stop", "dormouse-idle.timer"])
    instance.attach(volume)
    guest.until_true(instance, f"test -b {DEVICE}")
    instance.run(["zpool", "create", "-o", "cachefile=none", "-O", "mountpoint=none", "archive", DEVICE])
    for dataset in ("archive/desktop", "archive/laptop", "archive/laptop/safe", "archive/gone", "archive/gone/x y"):
        instance.run(["zfs", "create", dataset])
    for option, rights, dataset in [
        (["-u", OLD_UID], LEGACY, "archive/gone/x y"),
        (["-u", OLD_UID], LEGACY, "archive/laptop/safe"),
        (["-l", "-u", OLD_UID], "create,mount,receive", "archive/desktop"),
        (["-u", "dormouse-desktop"], LEGACY, "archive/gone"),
        (["-g", "dormouse"], "receive", "archive"),
        (["-e"], "send", "archive/gone"),
        (["-c"], "destroy", "archive/gone"),
        (["-s", "@all"], "destroy,rollback", "archive/gone"),
        (["-d", "-u", "dormouse-laptop"], "destroy", "archive/laptop"),
    ]:
        instance.run(["zfs", "allow", *option, rights, dataset])
    instance.run(["systemctl", "restart", "dormouse-pool.service"])
    yield instance
    instance.kill()


def zfs_has(instance: Instance, dataset: str) -> bool:
    return instance.run(["zfs", "list", "-H", dataset], check=False).code == 0


def rights(instance: Instance, dataset: str) -> list[str]:
    """What a dataset grants by itself."""
    lines = instance.run(["zfs", "allow", dataset]).stdout.splitlines()
    heads = [at for at, line in enumerate(lines) if line.startswith("---- Permissions on ")]
    own = [at for at in heads if lines[at].startswith(f"---- Permissions on {dataset} ")]
    if not own:
        return []
    end = next((at for at in heads if at > own[0]), len(lines))
    return [line.strip() for line in lines[own[0] + 1 : end]]


def test_only_what_the_configuration_grants_is_left(machine: Instance) -> None:
    for dataset in ("archive", "archive/gone", "archive/gone/x y"):
        assert rights(machine, dataset) == [], dataset
    granted = machine.run(["zfs", "allow", "archive/laptop/safe"]).stdout
    assert OLD_UID not in granted and "destroy" not in granted and "dormouse-desktop" not in granted, granted
    assert any(line.startswith("user dormouse-laptop ") for line in rights(machine, "archive/laptop/safe"))
    # With ZFS 2.4 a host may add to its copies, and `zfs receive -F` is denied.
    append = "receive:append" if machine.run(["zfs", "version"]).stdout.startswith("zfs-2.4") else "receive"
    assert f"user dormouse-desktop create,mount,{append}" in rights(machine, "archive/desktop")


def test_the_pool_keeps_every_copy_unmounted_and_read_only(machine: Instance, generated: Archiver) -> None:
    """Also on another machine: what a stream sets, a host may not set, and what a copy inherits mounts nothing."""
    desktop = generated.host("desktop")
    source = "archive/origin"
    machine.run(["zfs", "create", "-o", "mountpoint=/run/taken", "-o", "canmount=on", "-o", "readonly=off", source])
    machine.run(["zfs", "snapshot", f"{source}@s"])
    machine.run(["zfs", "hold", "thief", f"{source}@s"])
    machine.run(["sh", "-c", f"zfs send -p -h {source}@s >/run/stream && chmod 644 /run/stream"])
    machine.run(["zfs", "release", "thief", f"{source}@s"])
    machine.run(["zfs", "destroy", "-r", source])
    copy = "archive/desktop/safe"
    gate = f"SSH_ORIGINAL_COMMAND='zfs receive -s -u {copy}' bash /etc/dormouse/gate desktop {copy}"
    received = machine.run(["runuser", "-u", desktop.user, "--", "sh", "-c", f"{gate} </run/stream"], check=False)
    assert "permission denied" in received.stderr and zfs_has(machine, copy), received
    columns = ["mountpoint", "readonly", "mounted", "com.sun:auto-snapshot"]
    for dataset in ("archive/laptop/safe", copy):
        listed = machine.run(["zfs", "list", "-H", "-o", ",".join(columns), dataset]).stdout.split()
        assert listed == ["none", "on", "no", "false"], (dataset, listed)
    assert machine.run(["zfs", "holds", "-H", f"{copy}@s"]).stdout == ""
    machine.run(["zfs", "mount", "-a"])
    assert "archive" not in machine.run(["cat", "/proc/mounts"]).stdout
    machine.run(["zfs", "destroy", "-r", copy])


def test_what_is_granted_stays_over_another_start(machine: Instance) -> None:
    before = [rights(machine, dataset) for dataset in ("archive/laptop", "archive/laptop/safe", "archive/desktop")]
    machine.run(["zfs", "allow", "-u", OLD_UID, "receive", "archive/laptop/safe"])
    machine.run(["systemctl", "restart", "dormouse-pool.service"])
    after = [rights(machine, dataset) for dataset in ("archive/laptop", "archive/laptop/safe", "archive/desktop")]
    assert before == after
    journal = machine.run(["journalctl", "--unit=dormouse-pool", "--output=cat"]).stdout
    assert "archive/laptop/safe: revoking" in journal, journal


def test_users_have_the_numbers_of_the_configuration(machine: Instance, generated: Archiver) -> None:
    for host in ("desktop", "laptop"):
        uid = machine.run(["id", "-u", f"dormouse-{host}"]).stdout.strip()
        assert f"uid = {uid};" in generated.configuration
        assert machine.run(["stat", "-c", "%u %a", f"/run/dormouse-gate/dormouse-{host}"]).stdout == f"{uid} 700\n"


def test_an_image_that_is_launched_with_another_host_key_powers_off(site: Site, baked: Path, tmp_path: Path) -> None:
    """As a host could launch it, to be taken for the archiver."""
    other = Archiver(tmp_path / "other")
    other.generate()
    instance = site.instance("stranger", other.user_data, baked)
    instance.boot(site.image)
    instance.wait_off()
    console = (instance.folder / "console.log").read_text(errors="replace")
    assert "the user data gave another: powering off" in console, console[-2000:]


def test_a_clone_of_another_hosts_snapshot_is_not_sent(machine: Instance, generated: Archiver) -> None:
    """As a forged clone stream leaves it; root makes it here."""
    laptop, desktop = generated.host("laptop"), generated.host("desktop")
    machine.run(["zfs", "snapshot", "archive/laptop/safe@s"])
    assert machine.enter(laptop, ["zfs", "send", "archive/laptop/safe@s"]).code == 0
    assert machine.enter(desktop, ["zfs", "create", "-u", "archive/desktop/safe"]).code == 0
    machine.run(["zfs", "snapshot", "archive/desktop/safe@s"])
    created = machine.run(["zfs", "allow", "archive/desktop/safe"]).stdout
    # The next wake grants what the target has.
    machine.run(["systemctl", "restart", "dormouse-pool.service"])
    assert machine.enter(desktop, ["zfs", "send", "archive/desktop/safe@s"]).code == 0, created
    machine.run(["zfs", "clone", "-o", "canmount=off", "archive/laptop/safe@s", "archive/desktop/safe/steal"])
    machine.run(["zfs", "snapshot", "archive/desktop/safe/steal@n"])
    for snapshot in ("archive/desktop/safe/steal@n", "archive/desktop/safe@s"):
        refused = machine.enter(desktop, ["zfs", "send", snapshot])
        assert refused.code == 126 and "cannot send: archive/desktop/safe/steal is a clone" in refused.stderr, refused
    assert machine.enter(laptop, ["zfs", "send", "archive/laptop/safe@s"]).code == 0
    machine.run(["zfs", "destroy", "-r", "archive/desktop/safe/steal"])
    assert machine.enter(desktop, ["zfs", "send", "archive/desktop/safe@s"]).code == 0
