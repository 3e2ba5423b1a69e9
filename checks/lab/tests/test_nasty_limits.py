"""What the archiver does not take is named, with the way out, and costs nothing else."""

import json

from checks.lab import pool, tree
from checks.lab.accounting import counted
from checks.lab.cycle import SOURCE, assert_complete, cycle, send
from checks.lab.pool import zfs
from checks.lab.product import Product

# ZFS takes 255 bytes for `dataset@snapshot`.
LONGEST = 255


def assert_mends(product: Product, command: str) -> None:
    """A run is refused with the advice to type `command` there, and the next one goes on after that."""
    done = product.run("replicate")
    assert done.code == 1 and f"`{command}`" in done.stderr, done
    product.lab.archiver.run(["sh", "-c", command])
    send(product)


def test_what_limits_the_archiver_is_named_and_the_next_run_goes_on(product: Product) -> None:
    lab = product.lab

    def fill() -> None:
        free = int(pool.value(lab.archiver, "available", "vault"))
        zfs(lab.archiver, "create", "-o", f"reservation={free - (4 << 20)}", "vault/fill")

    limits = (
        (
            lambda: zfs(lab.archiver, "set", "quota=6M", "vault/home"),
            ["set", "quota=none", "vault/home"],
            "a quota limits it",
        ),
        (fill, ["destroy", "vault/fill"], "make room"),
    )
    tree.write(lab.home, SOURCE, "file", 1)
    tree.snapshot(lab.home, SOURCE, "one")
    send(product)
    for number, (limit, lift, advice) in enumerate(limits):
        limit()
        tree.write(lab.home, SOURCE, f"file{number}", 16)
        tree.snapshot(lab.home, SOURCE, f"limited{number}")
        done = product.run("replicate")
        assert done.code == 1 and advice in done.stderr, done
        zfs(lab.archiver, *lift)
        send(product)
        assert_complete(product)


def test_a_snapshot_whose_name_has_no_room_there_is_named_and_holds_up_no_other_dataset(product: Product) -> None:
    home, child = product.lab.home, f"{SOURCE}/{'d' * 150}"
    for name in (child, f"{SOURCE}/last"):
        zfs(home, "create", name)
    cycle(product, "first")
    long = "s" * (LONGEST - len(f"{child}@"))
    zfs(home, "snapshot", f"{child}@{long}")
    tree.snapshot(home, SOURCE, "second")
    done = product.run("replicate")
    assert done.code == 4 and f"zfs rename {child}@{long}" in done.stderr, done
    assert "2 of 3 datasets sent" in done.stdout, done
    zfs(home, "rename", f"{child}@{long}", f"{child}@short")
    send(product)


def test_a_dataset_whose_copy_could_have_no_name_holds_up_no_other_and_wakes_nobody(product: Product) -> None:
    home = product.lab.home
    zfs(home, "create", f"{SOURCE}/last")
    # It and its snapshots fit here, and below the longer target it alone does not.
    long = f"{SOURCE}/{'d' * (LONGEST - len(f'{SOURCE}/@s1'))}"
    zfs(home, "create", long)
    for name in ("s1", "s2"):
        tree.snapshot(home, SOURCE, name)
        done = product.run("replicate")
        assert done.code == 4 and f"`exclude` {long}" in done.stderr, done
        assert "2 of 3 datasets sent" in done.stdout, done
    with counted(home) as here:
        idle = product.run("replicate")
    assert idle.code == 4 and "0 of 3 datasets sent" in idle.stdout and here["ssh"] == 0, (idle, here)
    verified = product.run("--json", "verify")
    assert verified.code == 4 and f"`exclude` {long}" in verified.stderr, verified
    findings = {line["dataset"]: line["findings"] for line in json.loads(verified.stdout)["datasets"]}
    assert "no legal name" in findings.pop(long)[0] and not any(findings.values()), findings
    zfs(home, "rename", long, f"{SOURCE}/short")
    send(product)
    assert_complete(product)


def test_a_pool_without_the_features_of_a_stream_gets_it_once_it_is_upgraded(product: Product) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    _, disk, *_ = archiver.run(["zpool", "list", "-H", "-P", "-v", "-o", "name", "vault"]).stdout.split()
    archiver.run(["zpool", "destroy", "vault"])
    archiver.run(["zpool", "create", "-f", "-d", "-o", "feature@enabled_txg=enabled", "-m", "none", "vault", disk])
    tree.snapshot(home, SOURCE, "first")
    assert_mends(product, "zpool upgrade vault")


def test_a_pool_that_is_imported_read_only_is_named(product: Product) -> None:
    archiver = product.lab.archiver
    cycle(product, "first")
    archiver.run(["zpool", "export", "vault"])
    archiver.run(["zpool", "import", "-N", "-o", "readonly=on", "vault"])
    tree.snapshot(product.lab.home, SOURCE, "second")
    assert_mends(product, "zpool export vault && zpool import -N vault")


def test_a_login_shell_that_talks_is_named(product: Product) -> None:
    archiver = product.lab.archiver
    cycle(product, "first")
    archiver.put("/root/.bashrc", b"echo Welcome\n", 0o644)
    archiver.run(["usermod", "--shell", "/bin/bash", "root"])
    try:
        tree.snapshot(product.lab.home, SOURCE, "second")
        done = product.run("replicate", "--audit")
        assert done.code == 1 and '"Welcome"' in done.stderr and "~/.bashrc" in done.stderr, done
    finally:
        archiver.run(["usermod", "--shell", "/bin/sh", "root"])
        archiver.run(["rm", "/root/.bashrc"])
    send(product)
