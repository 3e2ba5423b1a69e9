"""What a receive that was cut off leaves, and what became of the host meanwhile."""

import pytest

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, assert_complete, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import Product

MIB = 1 << 20
BIG, ITS_COPY = f"{SOURCE}/big", f"{COPY}/big"


@pytest.fixture
def big(product: Product) -> Lab:
    """A dataset of four mebibytes, and snapshot @one of it that nobody has."""
    lab = product.lab
    zfs(lab.home, "create", BIG)
    tree.write(lab.home, BIG, "file", 4)
    tree.snapshot(lab.home, SOURCE, "one")
    return lab


def cut(lab: Lab, *send: str, target: str = ITS_COPY) -> None:
    """Lets half of a stream of four mebibytes arrive."""
    line = 'zfs send "$@" | head -c 2097152'
    half = lab.home.run(["sh", "-c", line, "sh", *send]).out
    assert len(half) == 2 * MIB
    options = ["-s", "-u", "-x", "mountpoint", "-o", "canmount=noauto", "-o", "readonly=on"]
    lab.archiver.run(["zfs", "receive", *options, target], stdin=half, check=False)
    assert pool.resume_token(lab.archiver, target)


# Stands before the real zfs on the archiver. At the first receive the one that was there goes on, and ends.
AT_THE_FIRST_RECEIVE = b"""#!/bin/sh
if [ "$1" = receive ] && mkdir /root/once 2>/dev/null; then
    touch /root/go
    until [ -e /root/ended ]; do sleep 0.1; done
fi
exec /usr/sbin/zfs "$@"
"""


def only_the_parent(lab: Lab) -> None:
    """The parent is there, as after a run that was cut off in its child."""
    stream = lab.home.run(["zfs", "send", f"{SOURCE}@one"]).out
    zfs(lab.archiver, "create", "-p", "vault/home")
    lab.archiver.run(["zfs", "receive", "-u", COPY], stdin=stream)


# `test_a_killed_run_resumes_where_it_was` shows it too.
@pytest.mark.long
def test_a_cut_full_send_goes_on_where_it_was(product: Product, big: Lab) -> None:
    only_the_parent(big)
    cut(big, f"{BIG}@one")
    before = big.sent(big.home)
    send(product)
    assert big.sent(big.home) - before < 3 * MIB
    cycle(product, "two")


def test_what_a_lost_receive_gets_while_its_rest_is_sent_is_not_sent_again(product: Product, big: Lab) -> None:
    """Its sender is gone, which it has not heard: it has something to take still when it is resumed."""
    only_the_parent(big)
    archiver = big.archiver
    archiver.put("/root/stream", big.home.run(["zfs", "send", f"{BIG}@one"]).out)
    archiver.put("/usr/local/sbin/zfs", AT_THE_FIRST_RECEIVE, 0o755)
    parts = "head -c 1M /root/stream; until [ -e /root/go ]; do sleep 0.1; done; tail -c +1048577 /root/stream"
    lost = f"({parts} | head -c 2M) | /usr/sbin/zfs receive -s -u {ITS_COPY}; touch /root/ended"
    running = archiver.start(["sh", "-c", lost])
    wait.until(lambda: pool.resume_token(archiver, ITS_COPY), "a part is kept")
    try:
        done = product.run("replicate")
    finally:
        archiver.run(["rm", "/usr/local/sbin/zfs"])
    running.wait()
    assert done.code == 0 and done.stdout.count("resuming") == 2, done
    assert_complete(product)


def test_a_token_whose_snapshot_is_gone_is_given_up_and_told(product: Product, big: Lab) -> None:
    only_the_parent(big)
    cut(big, f"{BIG}@one")
    zfs(big.home, "destroy", f"{BIG}@one")
    tree.snapshot(big.home, SOURCE, "two")
    done = product.run("replicate")
    assert done.code == 0 and "was deleted on the host meanwhile" in done.stdout, done
    assert_complete(product)


def test_a_token_whose_base_is_only_a_bookmark_goes_on(product: Product, big: Lab) -> None:
    cycle(product, "two")
    tree.write(big.home, BIG, "file", 4)
    tree.snapshot(big.home, SOURCE, "three")
    cut(big, "-i", "@two", f"{BIG}@three")
    zfs(big.home, "destroy", f"{BIG}@one")
    zfs(big.home, "destroy", f"{BIG}@two")
    report = product.report("replicate")["replications"][0]
    assert report["exit"] == 0, report
    assert next(d for d in report["datasets"] if d["dataset"] == BIG)["resumed"]
    assert_complete(product)


def test_a_token_whose_base_is_gone_for_good_ends_in_a_conflict_and_loses_nothing(
    product: Product, big: Lab
) -> None:
    cycle(product, "two")
    tree.write(big.home, BIG, "file", 4)
    tree.snapshot(big.home, SOURCE, "three")
    cut(big, "-i", "@two", f"{BIG}@three")
    zfs(big.home, "destroy", f"{BIG}@one")
    zfs(big.home, "destroy", f"{BIG}@two")
    for [bookmark] in pool.rows(big.home, ["list", "-H", "-t", "bookmark", "-o", "name", BIG]):
        zfs(big.home, "destroy", bookmark)
    before = tree.guids(big.archiver, COPY)
    report = product.report("replicate")["replications"][0]
    assert report["exit"] == 4, report
    assert before.items() <= tree.guids(big.archiver, COPY).items()


def test_a_token_of_a_dataset_that_has_another_name_now_is_not_used(product: Product, big: Lab) -> None:
    only_the_parent(big)
    cut(big, f"{BIG}@one")
    zfs(big.home, "rename", BIG, f"{SOURCE}/other")
    zfs(big.home, "create", BIG)
    tree.write(big.home, BIG, "file", 1)
    tree.snapshot(big.home, SOURCE, "two")
    send(product)
    cycle(product, "three")


def test_an_acknowledgement_that_was_lost_is_made_up_for(product: Product, big: Lab) -> None:
    """All arrived, the run died before it knew, and the host has pruned the snapshot since."""
    cycle(product, "two")
    tree.write(big.home, BIG, "file", 1)
    zfs(big.home, "snapshot", f"{BIG}@three")
    guid = pool.value(big.home, "guid", f"{BIG}@three")
    zfs(big.home, "bookmark", f"{BIG}@three", f"{BIG}#dormouse_lab_archiver_{guid}")
    stream = big.home.run(["zfs", "send", "-i", "@two", f"{BIG}@three"]).out
    big.archiver.run(["zfs", "receive", "-u", ITS_COPY], stdin=stream)
    for name in ("one", "two", "three"):
        zfs(big.home, "destroy", f"{BIG}@{name}")
    cycle(product, "four")
