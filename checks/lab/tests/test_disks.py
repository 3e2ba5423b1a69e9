"""Pools live on disks that move between machines and outlive them."""

from checks.lab.lab import Lab
from checks.lab.pool import zfs


def test_a_pool_survives_a_move_to_another_machine(bench: Lab) -> None:
    vault = bench.pools[1]
    zfs(bench.archiver, "create", "vault/kept")
    bench.archiver.put("/vault/kept/file", b"data")
    vault.remove()
    moved = vault.on(bench.home)
    bench.home.attach(vault.disk)
    moved.import_()
    assert bench.home.get("/vault/kept/file") == b"data"
    moved.remove()
    bench.archiver.attach(vault.disk)
    vault.import_()
    assert bench.archiver.get("/vault/kept/file") == b"data"


def test_a_pool_survives_a_killed_machine(bench: Lab) -> None:
    vault = bench.pools[1]
    zfs(bench.archiver, "create", "vault/kept")
    bench.archiver.put("/vault/kept/file", b"data")
    bench.archiver.run(["zpool", "sync", "vault"])
    bench.archiver.kill()
    bench.restore()
    bench.archiver.attach(vault.disk)
    # It was never exported, but the machine that had it has the same hostid.
    vault.import_()
    assert bench.archiver.get("/vault/kept/file") == b"data"


def test_a_pool_is_imported_again_after_a_power_cut(bench: Lab) -> None:
    zfs(bench.home, "create", "tank/kept")
    bench.home.put("/tank/kept/file", b"data")
    bench.home.run(["zpool", "sync", "tank"])
    bench.home.reset()
    assert bench.home.get("/tank/kept/file") == b"data"


def test_a_disk_comes_and_goes_many_times(bench: Lab) -> None:
    disk = bench.make_disk("extra")
    for _ in range(5):
        bench.home.attach(disk)
        assert bench.home.run(["test", "-b", disk.device], check=False).code == 0
        bench.home.detach(disk)
        bench.home.run(["udevadm", "settle"])
        assert bench.home.run(["test", "-b", disk.device], check=False).code == 1
    disk.path.unlink()
