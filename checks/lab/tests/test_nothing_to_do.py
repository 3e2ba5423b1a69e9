"""A run with nothing to do costs one listing, and wakes nobody."""

from checks.lab import tree
from checks.lab.accounting import counted
from checks.lab.cycle import SOURCE, send
from checks.lab.product import Product


def test_nothing_to_do_starts_one_zfs_and_no_ssh(product: Product) -> None:
    lab = product.lab
    # Since 2.2, ZFS says when snapshots came or went. Where it does not, it is asked for that, then for
    # datasets, bookmarks and snapshots.
    says_when = lab.home.run(["zfs", "get", "-H", "snapshots_changed", "tank"], check=False).code == 0
    for name in ("one", "two", "three"):
        tree.snapshot(lab.home, SOURCE, name)
        with counted(lab.home) as working:
            send(product)
        # The control: the counter sees what a run with work starts.
        assert working["ssh"] > 0 and working["zfs"] > 1, working
        sent = lab.sent(lab.archiver)
        with counted(lab.home) as idle:
            done = product.run("replicate")
        assert done.code == 0, done
        assert idle["dormouse"] == 1, idle
        assert idle["zfs"] == (1 if says_when else 4), idle
        assert idle["ssh"] == 0, idle
        # Only the controller's question after its counters may be answered by it.
        assert lab.sent(lab.archiver) - sent < 2_000
