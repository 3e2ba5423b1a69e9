"""A host's pool that takes nothing more is sent all the same: it is the one that needs its backup most."""

from collections.abc import Iterator
from contextlib import contextmanager

from checks.lab import pool, tree
from checks.lab.cycle import SOURCE, assert_complete, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import Product

CHILD = f"{SOURCE}/child"
WITHOUT = "without a bookmark"


def sends_without(product: Product, advice: str) -> None:
    """A run brings everything over, and says once for all datasets what it could not remember."""
    done = product.run("replicate")
    assert done.code == 0 and "2 of 2 datasets sent" in done.stdout, done
    assert done.stderr.count(WITHOUT) == 1 and "2 datasets" in done.stderr and advice in done.stderr, done
    assert_complete(product)


def grow(lab: Lab, name: str) -> None:
    for dataset in (SOURCE, CHILD):
        tree.write(lab.home, dataset, name, 1)
    tree.snapshot(lab.home, SOURCE, name)


@contextmanager
def read_only(lab: Lab) -> Iterator[None]:
    """As a pool is imported whose disks are failing."""
    lab.home.run(["zpool", "export", "tank"])
    lab.home.run(["zpool", "import", "-o", "readonly=on", "tank"])
    yield
    lab.home.run(["zpool", "export", "tank"])
    lab.home.run(["zpool", "import", "tank"])


@contextmanager
def full(lab: Lab) -> Iterator[None]:
    free = int(pool.value(lab.home, "available", "tank"))
    zfs(lab.home, "create", "-o", f"reservation={free - (64 << 10)}", "tank/fill")
    lab.home.run(["sh", "-c", f"cat /dev/urandom >/{SOURCE}/rest; sync"], check=False)
    assert pool.value(lab.home, "available", SOURCE) == "0"
    yield
    zfs(lab.home, "destroy", "tank/fill")


def test_a_pool_that_is_full_or_read_only_is_sent_from_its_first_snapshot_on(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", CHILD)
    grow(lab, "one")
    with read_only(lab):
        sends_without(product, "a run makes them")
    grow(lab, "two")
    with full(lab):
        sends_without(product, "out of space")
    send(product)
    assert "nothing to do" in product.run("replicate").stdout
    assert all(dataset["behind"] == 0 for dataset in product.report("status")["datasets"])
    cycle(product, "three")
    # Now there are bookmarks to build on.
    for number, state in enumerate((read_only, full)):
        grow(lab, f"more{number}")
        with state(lab):
            sends_without(product, "a run makes them")
        grow(lab, f"later{number}")
        send(product)
    cycle(product, "last")


def test_a_pool_without_bookmarks_is_sent_step_by_step_and_told_how_to_get_them(product: Product) -> None:
    home = product.lab.home
    _, disk, *_ = home.run(["zpool", "list", "-H", "-P", "-v", "-o", "name", "tank"]).stdout.split()
    home.run(["zpool", "destroy", "tank"])
    home.run(["zpool", "create", "-f", "-d", "tank", disk])
    for dataset in (SOURCE, CHILD):
        zfs(home, "create", dataset)
    for name in ("one", "two"):
        grow(product.lab, name)
        sends_without(product, "`zpool upgrade tank`")
    home.run(["zpool", "upgrade", "tank"])
    grow(product.lab, "three")
    send(product)
    cycle(product, "four")
