"""Pools live on disks that move between machines and outlive them."""

from checks.lab.lab import Lab
from checks.lab.pool import zfs


def test_a_pool_survives_a_move_to_another_machine(pair: Lab) -> None:
    vault = pair.pools[1]
    zfs(pair.archiver, "create", "vault/kept")
    pair.archiver.put("/vault/kept/file", b"data")
    vault.remove()
    moved = vault.on(pair.home)
    pair.home.attach(vault.disk)
    moved.import_()
    assert pair.home.get("/vault/kept/file") == b"data"
    moved.remove()
    pair.archiver.attach(vault.disk)
    vault.import_()
    assert pair.archiver.get("/vault/kept/file") == b"data"


def test_a_pool_survives_a_killed_machine(pair: Lab) -> None:
    vault = pair.pools[1]
    zfs(pair.archiver, "create", "vault/kept")
    pair.archiver.put("/vault/kept/file", b"data")
    pair.archiver.run(["zpool", "sync", "vault"])
    pair.archiver.kill()
    pair.restore()
    pair.archiver.attach(vault.disk)
    # It was never exported, but the machine that had it has the same hostid.
    vault.import_()
    assert pair.archiver.get("/vault/kept/file") == b"data"


def test_a_pool_is_imported_again_after_a_power_cut(pair: Lab) -> None:
    zfs(pair.home, "create", "tank/kept")
    pair.home.put("/tank/kept/file", b"data")
    pair.home.run(["zpool", "sync", "tank"])
    pair.home.reset()
    assert pair.home.get("/tank/kept/file") == b"data"


def test_a_disk_comes_and_goes_many_times(pair: Lab) -> None:
    disk = pair.make_disk("extra")
    for _ in range(5):
        pair.home.attach(disk)
        assert pair.home.run(["test", "-b", disk.device], check=False).code == 0
        pair.home.detach(disk)
        pair.home.run(["udevadm", "settle"])
        assert pair.home.run(["test", "-b", disk.device], check=False).code == 1
    disk.path.unlink()
