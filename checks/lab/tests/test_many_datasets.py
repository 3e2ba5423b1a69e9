"""Many small datasets: few processes, few round trips, and each still has a fate of its own."""

from checks.lab import pool, tree
from checks.lab.accounting import counted
from checks.lab.cycle import COPY, SOURCE, assert_complete, send
from checks.lab.pool import zfs
from checks.lab.product import Product

MANY = 9


def plant(product: Product) -> list[str]:
    """Nine datasets, a zvol and a name that needs quoting among them, all archived."""
    home = product.lab.home
    for number in range(MANY - 3):
        zfs(home, "create", f"{SOURCE}/d{number}")
    zfs(home, "create", f"{SOURCE}/with space")
    zfs(home, "create", "-V", "8M", f"{SOURCE}/vol")
    tree.snapshot(home, SOURCE, "one")
    send(product)
    return [row[0] for row in pool.rows(home, ["list", "-H", "-r", "-o", "name", SOURCE])]


def test_increments_of_many_datasets_share_two_channels(product: Product) -> None:
    lab = product.lab
    datasets = plant(product)
    assert len(datasets) == MANY
    for name in ("two", "three"):
        tree.write(lab.home, f"{SOURCE}/d1", name, 1)
        tree.snapshot(lab.home, SOURCE, name)
        with counted(lab.home) as here, counted(lab.archiver) as there:
            sent = product.run("replicate")
        assert sent.code == 0, sent
        assert_complete(product)
        # The connection and two channels: the archiver is asked for nothing besides.
        assert here["ssh"] <= 3, here
        # A send and a superseded bookmark for each, seven for all of them together.
        assert here["zfs"] <= 2 * MANY + 7, here
        # A receive for each, and a listing of what each channel has received.
        assert there["zfs"] <= MANY + 2, there
        assert there["zpool"] <= 2, there
    assert pool.value(lab.archiver, "type", f"{COPY}/vol") == "volume"


def test_channels_of_increments_bring_back_how_the_pool_is(product: Product) -> None:
    lab = product.lab
    plant(product)
    used = []
    for name in ("two", "three"):
        tree.write(lab.home, f"{SOURCE}/d1", name, 4)
        tree.snapshot(lab.home, SOURCE, name)
        if name == "three":
            lab.archiver.run(["zpool", "scrub", "-w", "vault"])
        with counted(lab.archiver) as there:
            send(product)
        assert there["zpool"] == 2, there
        pool_there = product.report("status")["archivers"][0]["pool"]
        assert pool_there["health"] == "ONLINE" and pool_there["errors"] is None, pool_there
        assert (pool_there["scan"] is not None) == (name != "two"), pool_there
        used.append(pool_there["allocated"])
    # What has just been received counts, most of it: a part may not be in a transaction group yet.
    assert used[1] - used[0] > 1 << 20, used


def test_what_is_remembered_of_the_archiver_is_not_believed_against_it(product: Product) -> None:
    """The runs before have left a mark, so that none of these looks before it sends."""
    home, archiver = product.lab.home, product.lab.archiver
    plant(product)

    def again(name: str) -> int:
        tree.write(home, f"{SOURCE}/d5", name, 1)
        tree.snapshot(home, SOURCE, name)
        with counted(archiver) as there:
            run = product.run("replicate")
        assert run.code in (0, 4), run
        assert ("renamed" in run.stderr) == (run.code == 4) == (name == "five"), run
        if run.code == 0:
            assert_complete(product)
        return there["zfs"]

    few = again("two")
    # One is gone, with all that it had.
    zfs(archiver, "destroy", "-r", f"{COPY}/d3")
    assert again("three") > few
    assert again("four") == few, "after that the host knows again"
    # One has another name.
    zfs(archiver, "rename", f"{COPY}/d3", f"{COPY}/elsewhere")
    again("five")
    zfs(archiver, "rename", f"{COPY}/elsewhere", f"{COPY}/d3")
    again("six")
    # The root of all is gone.
    zfs(archiver, "destroy", "-r", COPY)
    again("seven")
    assert again("eight") == few


def test_first_sends_of_small_datasets_share_two_channels_once_their_parents_are_there(product: Product) -> None:
    home = product.lab.home
    for number in range(MANY):
        zfs(home, "create", "-p", f"{SOURCE}/d{number}/below")
    for name in ("one", "two", "three"):
        tree.snapshot(home, SOURCE, name)
    with counted(home) as here:
        sent = product.run("replicate")
    assert sent.code == 0, sent
    assert_complete(product)
    # The connection, what is there, what is above the target, the tree's root, then two channels for each of
    # two levels, what has arrived, what was set, the pool's state.
    assert here["ssh"] <= 16, here


def test_one_that_is_refused_does_not_keep_the_others_from_arriving(product: Product) -> None:
    lab = product.lab
    plant(product)
    last = "one"
    for name, number in (("two", 2), ("three", 0)):
        bad = f"{COPY}/d{number}"
        zfs(lab.archiver, "set", "readonly=off", bad)
        zfs(lab.archiver, "set", "mountpoint=/mnt/bad", bad)
        zfs(lab.archiver, "mount", bad)
        lab.archiver.run(["touch", "/mnt/bad/mine"])
        zfs(lab.archiver, "unmount", bad)
        tree.snapshot(lab.home, SOURCE, name)
        report = product.report("replicate")["replications"][0]
        fates = {dataset["dataset"]: dataset["result"] for dataset in report["datasets"]}
        assert report["exit"] == 4, report
        assert fates.pop(f"{SOURCE}/d{number}") == "refused", report
        assert set(fates.values()) == {"sent"}, report
        [refused] = [d for d in report["datasets"] if d["result"] == "refused"]
        assert "has been modified" in refused["message"] and "zfs rollback" in refused["help"], refused
        zfs(lab.archiver, "rollback", f"{bad}@{last}")
        send(product)
        last = name
