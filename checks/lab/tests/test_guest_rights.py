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
    assert "user dormouse-desktop create,mount,receive" in rights(machine, "archive/desktop")


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
        assert machine.run(["stat", "-c", "%u %a", f"/run/dormouse-gate/{uid}"]).stdout == f"{uid} 700\n"
