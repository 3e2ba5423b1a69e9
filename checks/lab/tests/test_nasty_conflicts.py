"""A copy that is not what the host expects: nothing of it is ever lost.

By default the dataset stops until a person has decided; with `set_aside`, what is in
the way is renamed and the dataset goes on.
"""

import pytest

from checks.lab import pool, tree
from checks.lab.cycle import COPY, SOURCE, assert_complete, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import SAFE, Product

CHILD, ITS_COPY = f"{SOURCE}/a", f"{COPY}/a"


@pytest.fixture
def asides(product: Product) -> Product:
    """The same replication, which sets aside."""
    product.replications["safe"] = {**SAFE, "on_conflict": "set_aside"}
    product.generate()
    product.install_home()
    return product


def refused(product: Product, dataset: str) -> dict[str, str]:
    """A run that leaves just this dataset to a person, and changes nothing of its copy."""
    report = product.report("replicate")["replications"][0]
    assert report["exit"] == 4, report
    [outcome] = [d for d in report["datasets"] if d["result"] == "refused"]
    assert outcome["dataset"] == dataset
    assert all(d["result"] != "failed" for d in report["datasets"]), report
    answer: dict[str, str] = outcome
    return answer


def everything(lab: Lab) -> set[str]:
    """The GUIDs of all snapshots that the archiver has, wherever they are."""
    return set(tree.guids(lab.archiver, "vault").values())


def asided(lab: Lab) -> list[str]:
    names = [row[0] for row in pool.rows(lab.archiver, ["list", "-H", "-r", "-o", "name", "vault"])]
    return [name for name in names if ".aside-" in name]


def test_a_recreated_dataset_waits_for_a_person(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", CHILD)
    cycle(product, "one")
    # The second run finds what the refused one left.
    for name in ("two", "three"):
        zfs(lab.home, "destroy", "-r", CHILD)
        zfs(lab.home, "create", CHILD)
        tree.snapshot(lab.home, SOURCE, name)
        before = everything(lab)
        outcome = refused(product, CHILD)
        assert "no snapshot in common" in outcome["message"] and "zfs rename" in outcome["help"]
        assert before <= everything(lab)


@pytest.mark.sample
def test_a_recreated_dataset_is_sent_anew_beside_its_old_copy(asides: Product) -> None:
    lab = asides.lab
    zfs(lab.home, "create", "-p", f"{CHILD}/b")
    cycle(asides, "one")
    for number, name in enumerate(("two", "three")):
        zfs(lab.home, "destroy", "-r", CHILD)
        zfs(lab.home, "create", "-p", f"{CHILD}/b")
        tree.snapshot(lab.home, SOURCE, name)
        before = everything(lab)
        assert asides.run("plan").code == 0
        assert everything(lab) == before
        send(asides)
        assert before <= everything(lab)
        assert len(asided(lab)) == 2 * (number + 1)
    cycle(asides, "four")


def test_a_renamed_dataset_is_recognised_and_waits_for_a_person(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", "-p", f"{CHILD}/b")
    tree.write(lab.home, f"{CHILD}/b", "file", 4)
    cycle(product, "one")
    zfs(lab.home, "rename", f"{CHILD}/b", f"{SOURCE}/renamed")
    tree.snapshot(lab.home, SOURCE, "two")
    outcome = refused(product, f"{SOURCE}/renamed")
    assert f"zfs rename {ITS_COPY}/b {COPY}/renamed" in outcome["help"], outcome
    zfs(lab.archiver, "rename", f"{ITS_COPY}/b", f"{COPY}/renamed")
    cycle(product, "three")


def test_a_renamed_tree_is_renamed_on_the_archiver_and_not_sent_again(asides: Product) -> None:
    lab = asides.lab
    zfs(lab.home, "create", "-p", f"{CHILD}/b")
    tree.write(lab.home, f"{CHILD}/b", "file", 8)
    cycle(asides, "one")
    for number, name in enumerate(("two", "three")):
        old = CHILD if number == 0 else f"{SOURCE}/renamed{number - 1}"
        zfs(lab.home, "rename", old, f"{SOURCE}/renamed{number}")
        tree.snapshot(lab.home, SOURCE, name)
        before, sent = everything(lab), lab.sent(lab.home)
        send(asides)
        assert lab.sent(lab.home) - sent < 2 << 20
        assert before <= everything(lab)
        assert pool.exists(lab.archiver, f"{COPY}/renamed{number}/b")
        assert not pool.exists(lab.archiver, old.replace(SOURCE, COPY))
    assert asided(lab) == []


def test_a_parent_that_gets_its_first_snapshot_keeps_its_children(asides: Product) -> None:
    lab = asides.lab
    zfs(lab.home, "create", "-p", f"{CHILD}/b")
    zfs(lab.home, "snapshot", f"{CHILD}/b@one")
    send(asides)
    zfs(lab.home, "snapshot", f"{CHILD}/b@two")
    tree.snapshot(lab.home, CHILD, "three")
    before = everything(lab)
    send(asides)
    assert before <= everything(lab)
    assert {name for dataset, name in tree.guids(lab.archiver, ITS_COPY) if dataset == "/b"} >= {"one", "two"}
    cycle(asides, "four")


def test_the_same_name_with_another_guid_is_never_overwritten(product: Product) -> None:
    lab = product.lab
    cycle(product, "one")
    zfs(lab.home, "destroy", f"{SOURCE}@one")
    tree.write(lab.home, SOURCE, "file", 1)
    tree.snapshot(lab.home, SOURCE, "one")
    before = everything(lab)
    outcome = refused(product, SOURCE)
    assert "another snapshot named @one" in outcome["message"]
    assert everything(lab) == before


def test_a_snapshot_whose_name_is_taken_arrives_beside_the_other(asides: Product) -> None:
    lab = asides.lab
    cycle(asides, "one")
    zfs(lab.home, "destroy", f"{SOURCE}@one")
    tree.write(lab.home, SOURCE, "file", 1)
    tree.snapshot(lab.home, SOURCE, "one")
    before = everything(lab)
    send(asides)
    assert before < everything(lab)
    cycle(asides, "two")


def test_a_clone_that_takes_its_origins_place_is_sent_anew_beside_the_old_copy(asides: Product) -> None:
    """It brings a history of its own, in which more than one name is taken."""
    lab = asides.lab
    zfs(lab.home, "create", CHILD)
    cycle(asides, "one")
    zfs(lab.home, "clone", f"{CHILD}@one", f"{SOURCE}/clone")
    tree.write(lab.home, f"{SOURCE}/clone", "file", 1)
    for name in ("two", "three"):
        cycle(asides, name)
    zfs(lab.home, "promote", f"{SOURCE}/clone")
    zfs(lab.home, "rename", CHILD, f"{SOURCE}/old")
    zfs(lab.home, "rename", f"{SOURCE}/clone", CHILD)
    tree.snapshot(lab.home, SOURCE, "four")
    before = everything(lab)
    send(asides)
    assert before < everything(lab)
    assert any(name.startswith(f"{ITS_COPY}.aside-") for name in asided(lab))
    cycle(asides, "five")


def test_a_snapshot_that_only_the_archiver_has_is_kept(product: Product) -> None:
    lab = product.lab
    cycle(product, "one")
    zfs(lab.archiver, "snapshot", f"{COPY}@mine")
    cycle(product, "two")
    assert pool.exists(lab.archiver, f"{COPY}@mine")


def test_a_touched_copy_is_set_aside_with_what_was_written(asides: Product) -> None:
    lab = asides.lab
    zfs(lab.home, "create", CHILD)
    cycle(asides, "one")
    zfs(lab.archiver, "set", "readonly=off", "mountpoint=/mnt/touched", COPY)
    zfs(lab.archiver, "mount", COPY)
    lab.archiver.run(["touch", "/mnt/touched/mine"])
    zfs(lab.archiver, "unmount", COPY)
    tree.snapshot(lab.home, SOURCE, "two")
    before = everything(lab)
    assert asides.run("replicate").code == 0
    assert_complete_but_old(asides)
    assert before <= everything(lab)
    cycle(asides, "three")


def assert_complete_but_old(product: Product) -> None:
    """The newest snapshot is in place; the copy that was touched stands beside it."""
    lab = product.lab
    assert pool.exists(lab.archiver, f"{COPY}@two") and pool.exists(lab.archiver, f"{ITS_COPY}@two")
    assert [name for name in asided(lab) if name.startswith("vault/home/safe.aside-")]


def test_what_was_there_before_is_not_taken_for_a_copy(product: Product) -> None:
    lab = product.lab
    zfs(lab.archiver, "create", "-p", COPY)
    tree.snapshot(lab.home, SOURCE, "one")
    outcome = refused(product, SOURCE)
    assert "was not made by a replication" in outcome["message"]
    zfs(lab.archiver, "rename", COPY, f"{COPY}.aside")
    send(product)
    assert_complete(product)
