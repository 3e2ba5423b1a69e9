"""A run with nothing to do costs one listing, and wakes nobody."""

from checks.lab import tree
from checks.lab.accounting import counted
from checks.lab.cycle import SOURCE, cycle, send
from checks.lab.product import SAFE, Product


def test_nothing_to_do_starts_one_zfs_and_no_ssh(product: Product) -> None:
    lab = product.lab
    # Since 2.2, ZFS says when snapshots came or went. Where it does not, it is asked for that, then for
    # datasets, bookmarks and snapshots.
    says_when = lab.home.run(["zfs", "get", "-H", "snapshots_changed", "tank"], check=False).code == 0
    for name in ("one", "two"):
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


def test_another_target_gets_all_that_there_is_though_nothing_is_new(product: Product) -> None:
    lab, other = product.lab, "vault/home/elsewhere"
    cycle(product, "one")
    product.replications["safe"] = {**SAFE, "target": other}
    product.generate()
    product.install_home()
    if lab.home.run(["zfs", "get", "-H", "snapshots_changed", "tank"], check=False).code != 0:
        # Without times nothing is remembered of a target, until there is something to send.
        tree.snapshot(lab.home, SOURCE, "two")
    done = product.run("replicate")
    assert done.code == 0, done
    assert tree.guids(lab.archiver, other) == tree.guids(lab.home, SOURCE)
    assert "nothing to do" in product.run("replicate").stdout
