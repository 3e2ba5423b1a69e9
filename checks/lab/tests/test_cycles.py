"""Full, nothing to do, incremental: the everyday life of a backup."""

import pytest

from checks.lab import pool, tree
from checks.lab.cycle import COPY, assert_complete, cycle
from checks.lab.pool import zfs
from checks.lab.product import SAFE, Product


@pytest.mark.sample
def test_a_dataset_arrives_in_full_then_step_by_step(product: Product) -> None:
    for name in ("one", "two", "three"):
        tree.write(product.lab.home, "tank/safe", name, 2)
        cycle(product, name)


@pytest.mark.long
def test_several_snapshots_between_two_runs_all_arrive(product: Product) -> None:
    for round in range(3):
        for number in range(4):
            tree.write(product.lab.home, "tank/safe", f"{round}-{number}", 1)
            tree.snapshot(product.lab.home, "tank/safe", f"{round}-{number}")
        cycle(product, f"{round}-last")


def test_children_zvols_and_awkward_names_arrive(product: Product) -> None:
    home = product.lab.home
    zfs(home, "create", "tank/safe/with space")
    zfs(home, "create", "-p", "tank/safe/deep/er/est")
    zfs(home, "create", "-V", "8M", "tank/safe/vol")
    home.run(["udevadm", "wait", "--settle", "--timeout=30", "/dev/zvol/tank/safe/vol"])
    for name in ("one", "two:2.3"):
        tree.write(home, "tank/safe/with space", name, 1)
        home.run(["dd", "if=/dev/urandom", "of=/dev/zvol/tank/safe/vol", "bs=1M", "count=2", "status=none"])
        home.run(["zpool", "sync", "tank"])
        cycle(product, name)
    assert pool.value(product.lab.archiver, "type", f"{COPY}/vol") == "volume"
    assert pool.value(product.lab.archiver, "type", f"{COPY}/with space") == "filesystem"


def test_a_new_child_joins_and_a_destroyed_snapshot_stays_archived(product: Product) -> None:
    home = product.lab.home
    cycle(product, "one")
    zfs(home, "create", "tank/safe/late")
    cycle(product, "two")
    zfs(home, "destroy", "-r", "tank/safe@one")
    tree.snapshot(home, "tank/safe", "three")
    assert product.run("replicate").code == 0
    archived = tree.guids(product.lab.archiver, COPY)
    assert tree.guids(home, "tank/safe").items() <= archived.items()
    assert ("", "one") in archived


def test_a_bookmark_is_base_enough_when_all_old_snapshots_are_gone(product: Product) -> None:
    home = product.lab.home
    for before, name in ((None, "one"), ("one", "two")):
        if before:
            zfs(home, "destroy", f"tank/safe@{before}")
        tree.write(home, "tank/safe", name, 1)
        tree.snapshot(home, "tank/safe", name)
        sent = product.run("replicate")
        assert sent.code == 0, sent
    assert {name for _, name in tree.guids(product.lab.archiver, COPY)} == {"one", "two"}


def test_received_datasets_are_readonly_and_not_mounted(product: Product) -> None:
    archiver = product.lab.archiver
    zfs(product.lab.home, "create", "tank/safe/child")
    for name in ("one", "two"):
        cycle(product, name)
        for dataset in (COPY, f"{COPY}/child"):
            assert pool.value(archiver, "readonly", dataset) == "on"
            assert pool.value(archiver, "mounted", dataset) == "no"
    archiver.run(["zpool", "export", "vault"])
    archiver.run(["zpool", "import", "-d", "/dev/disk/by-id", "vault"])
    assert pool.value(archiver, "mounted", f"{COPY}/child") == "no"
    # What somebody changed there keeps nothing from arriving. An audit, which looks at what is there, puts it
    # right with what it sends.
    zfs(archiver, "set", "readonly=off", COPY)
    zfs(archiver, "set", "canmount=on", f"{COPY}/child")
    cycle(product, "three")
    tree.snapshot(product.lab.home, "tank/safe", "four")
    assert product.run("replicate", "--audit").code == 0
    assert_complete(product)
    assert pool.value(archiver, "readonly", COPY) == "on"
    assert pool.value(archiver, "canmount", f"{COPY}/child") == "noauto"


# A drill compares bytes too.
@pytest.mark.long
def test_the_copy_holds_the_same_bytes(product: Product) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    for name in ("one", "two", "three"):
        tree.write(home, "tank/safe", "file", 2)
        cycle(product, name)
        archiver.run(["mkdir", "-p", "/lab/copy"])
        archiver.run(["mount", "-t", "zfs", f"{COPY}@{name}", "/lab/copy"])
        theirs = archiver.run(["sha256sum", "/lab/copy/file"]).stdout.split()[0]
        archiver.run(["umount", "/lab/copy"])
        assert home.run(["sha256sum", "/tank/safe/file"]).stdout.split()[0] == theirs


def test_what_is_excluded_stays_at_home(product: Product) -> None:
    home = product.lab.home
    product.replications["safe"] = {**SAFE, "exclude": ["tank/safe/tmp", "tank/safe/*/cache-*"]}
    product.generate()
    product.install_home()
    for dataset in ("tmp/below", "anna/cache-1/below", "anna/mail", "cache-2"):
        zfs(home, "create", "-p", f"tank/safe/{dataset}")
    tree.snapshot(home, "tank/safe", "one")
    assert product.run("replicate").code == 0
    archived = {dataset for dataset, _ in tree.guids(product.lab.archiver, COPY)}
    assert archived == {"", "/anna", "/anna/mail", "/cache-2"}
    # What changes there is nothing to do.
    zfs(home, "snapshot", "tank/safe/anna/cache-1@two")
    assert "nothing to do" in product.run("replicate").stdout


def test_what_its_owner_keeps_at_home_by_a_property_stays_there(product: Product) -> None:
    home = product.lab.home
    for dataset in ("anna/mail", "anna/cache/below", "bert"):
        zfs(home, "create", "-p", f"tank/safe/{dataset}")
    zfs(home, "set", "dormouse:replicate=off", "tank/safe/anna/cache")
    tree.snapshot(home, "tank/safe", "one")
    assert product.run("replicate").code == 0
    archived = {dataset for dataset, _ in tree.guids(product.lab.archiver, COPY)}
    assert archived == {"", "/anna", "/anna/mail", "/bert"}
    verified = product.run("verify")
    assert verified.code == 0 and "tank/safe/anna/mail" in verified.stdout, verified
    assert "cache" not in verified.stdout, verified
    # It comes with all of its snapshots once it may.
    zfs(home, "inherit", "dormouse:replicate", "tank/safe/anna/cache")
    assert product.run("replicate").code == 0
    assert ("/anna/cache/below", "one") in tree.guids(product.lab.archiver, COPY)
    # A source that may not be sent at all is no success.
    zfs(home, "set", "dormouse:replicate=no", "tank/safe")
    kept = product.run("replicate")
    assert kept.code == 1 and "says that it stays on this host" in kept.stderr, kept


def test_only_snapshots_with_the_asked_names_are_sent(product: Product) -> None:
    home, archiver = product.lab.home, product.lab.archiver
    zfs(home, "create", "tank/safe/child")

    def only(**names: list[str]) -> None:
        product.replications["safe"] = {**SAFE, **names}
        product.generate()
        product.install_home()

    def replicated(*names: str) -> set[str]:
        for name in names:
            tree.snapshot(home, "tank/safe", name)
        sent = product.run("replicate")
        assert sent.code == 0, sent
        archived = tree.guids(archiver, COPY)
        assert {name for dataset, name in archived if dataset == "/child"} == {name for _, name in archived}
        return {name for _, name in archived}

    only(snapshot_names=["daily-*", "monthly-*"], exclude_snapshot_names=["daily-x*"])
    wanted = {"daily-1", "daily-2", "monthly-1"}
    assert replicated("hourly-1", "daily-1", "hourly-2", "daily-2", "daily-x1", "monthly-1", "hourly-3") == wanted
    tree.snapshot(home, "tank/safe", "hourly-4")
    assert "nothing to do" in product.run("replicate").stdout
    wanted |= {"daily-3", "daily-4"}
    assert replicated("daily-3", "daily-x2", "hourly-5", "daily-4", "hourly-6") == wanted
    assert product.run("verify").code == 0
    # What is newer than the archiver's newest comes when it is asked for, by increments.
    only()
    wanted |= {"hourly-6", "hourly-7"}
    assert replicated("hourly-7") == wanted
    # And what both have is built upon, whether it would be sent or not.
    only(snapshot_names=["daily-*"])
    assert replicated("hourly-8", "daily-5") == wanted | {"daily-5"}


def test_streams_are_packed_when_the_spec_asks_for_it(product: Product) -> None:
    home = product.lab.home
    product.replications["safe"]["stream_compression"] = "zstd"
    product.install()
    zfs(home, "create", "-o", "compression=off", "tank/safe/text")
    home.run(["bash", "-c", "yes | head -c 8M >/tank/safe/text/file"])
    tree.snapshot(home, "tank/safe", "one")
    home.run(["bash", "-c", "yes no | head -c 8M >/tank/safe/text/file"])
    tree.snapshot(home, "tank/safe", "two")
    before = product.lab.sent(home)
    [report] = product.report("replicate")["replications"]
    assert report["exit"] == 0 and report["bytes"] > 16 << 20, report
    assert product.lab.sent(home) - before < 1 << 20
    # An increment of each of two datasets shares a channel.
    tree.snapshot(home, "tank/safe", "three")
    [report] = product.report("replicate")["replications"]
    assert report["exit"] == 0, report
    assert tree.guids(product.lab.archiver, "vault/home/safe") == tree.guids(home, "tank/safe")
    # Where it cannot be had, the run says so.
    home.run(["chmod", "-x", "/usr/bin/zstd"])
    try:
        tree.snapshot(home, "tank/safe", "four")
        refused = product.run("replicate")
    finally:
        home.run(["chmod", "+x", "/usr/bin/zstd"])
    assert refused.code != 0 and "zstd" in refused.stderr, refused


def test_ssh_takes_the_ciphers_and_the_compression_of_the_spec(product: Product) -> None:
    home = product.lab.home

    def connect_with(**settings: object) -> None:
        product.settings = settings
        product.generate()
        product.install_home()

    def bytes_out() -> int:
        return int(home.run(["cat", "/sys/class/net/eth0/statistics/tx_bytes"]).stdout)

    zfs(home, "create", "-o", "compression=off", "tank/safe/text")
    home.run(["bash", "-c", "yes | head -c 8M >/tank/safe/text/file"])
    tree.snapshot(home, "tank/safe", "one")
    # Servers have let go of it, clients have not.
    connect_with(ssh_ciphers=["aes128-cbc"])
    refused = product.run("replicate")
    assert refused.code != 0 and "no matching cipher found" in refused.stderr, refused
    connect_with(ssh_ciphers=["aes128-gcm@openssh.com"], ssh_compression=True)
    before = bytes_out()
    [report] = product.report("replicate")["replications"]
    assert report["exit"] == 0 and report["bytes"] > 8 << 20, report
    assert bytes_out() - before < 2 << 20
