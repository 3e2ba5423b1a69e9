"""The archiver gives up what the host has deleted, and nothing else."""

from collections.abc import Sequence

from checks.lab import pool, tree
from checks.lab.cycle import COPY, SOURCE, send
from checks.lab.pool import zfs
from checks.lab.product import SAFE, Product

NAMES = ["daily-1", "daily-2", "mine", "daily-3", "daily-4"]


def follow(product: Product, after: str, unsent: Sequence[str] = ()) -> None:
    wanted = {"follow_delete": True, "follow_delete_after": after, "follow_delete_names": ["daily-*"]}
    product.replications["safe"] = {**SAFE, **wanted, "exclude_snapshot_names": unsent}
    product.generate()
    product.install_home()


def archived(product: Product) -> set[str]:
    return {name for _, name in tree.guids(product.lab.archiver, COPY)}


def next_run(product: Product, name: str) -> None:
    tree.snapshot(product.lab.home, SOURCE, name)
    sent = product.run("replicate")
    assert sent.code == 0, sent


def test_what_the_host_deleted_goes_after_its_time_and_all_else_stays(product: Product) -> None:
    lab = product.lab
    follow(product, "1h")
    for name in NAMES:
        tree.snapshot(lab.home, SOURCE, name)
    send(product)
    zfs(lab.archiver, "hold", "keep", f"{COPY}@daily-2")
    zfs(lab.archiver, "snapshot", f"{COPY}@daily-of-the-archiver")
    for name in NAMES:
        zfs(lab.home, "destroy", f"{SOURCE}@{name}")
    # Only a bookmark is in common: then nothing is deleted.
    next_run(product, "daily-5")
    next_run(product, "daily-6")
    assert set(NAMES) <= archived(product), "its time is not over"
    assert pool.value(lab.archiver, "dormouse:missed", f"{COPY}@daily-1") != "-"
    assert pool.value(lab.archiver, "dormouse:missed", f"{COPY}@mine") == "-"
    follow(product, "0s")
    next_run(product, "daily-7")
    left = archived(product)
    assert {"daily-2", "mine", "daily-5", "daily-6", "daily-7"} <= left
    assert not left & {"daily-1", "daily-3", "daily-4"}


def test_what_is_no_longer_sent_is_not_taken_for_deleted(product: Product) -> None:
    follow(product, "0s")
    for name in NAMES:
        tree.snapshot(product.lab.home, SOURCE, name)
    send(product)
    follow(product, "0s", unsent=["daily-1", "daily-2"])
    zfs(product.lab.home, "destroy", f"{SOURCE}@daily-3")
    # One run to note that it is missed, one to delete it.
    next_run(product, "daily-5")
    next_run(product, "daily-6")
    assert archived(product) == {"daily-1", "daily-2", "mine", "daily-4", "daily-5", "daily-6"}


def test_a_source_that_cannot_be_listed_deletes_nothing(product: Product) -> None:
    lab = product.lab
    follow(product, "0s")
    for name in ("daily-1", "daily-2", "daily-3"):
        tree.snapshot(lab.home, SOURCE, name)
    send(product)
    before = archived(product)
    lab.pools[0].export()
    assert product.run("replicate").code != 0
    lab.pools[0].import_()
    assert archived(product) == before
