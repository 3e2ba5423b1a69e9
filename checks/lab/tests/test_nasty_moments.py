"""What happens at the wrong moment, and what looks like a failure or a success and is none."""

import time

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, assert_complete, cycle, send
from checks.lab.pool import zfs
from checks.lab.product import Product

# Stands before the real zfs on the home host and does something at the first send; all wait for it.
AT_THE_FIRST_SEND = """#!/bin/sh
if [ "$1" = send ]; then
    if mkdir /root/done 2>/dev/null; then
        {action}
        touch /root/done/over
    fi
    until [ -e /root/done/over ]; do sleep 0.1; done
fi
exec /usr/sbin/zfs "$@"
"""


# Takes a snapshot just before datasets are listed, and another one after snapshots were. Before each of these the
# clock goes back to the second of the first, which a machine that is busy would have left.
IN_ONE_SECOND = """#!/bin/sh
case "$*" in
    *"-t filesystem,volume"*)
        if mkdir /root/first 2>/dev/null; then
            /usr/sbin/zfs snapshot {name}
            /usr/sbin/zfs get -H -p -o value creation {name} >/root/first/at
            date --set "@$(cat /root/first/at)" >/dev/null
        fi;;
    *"-t snapshot"*)
        /usr/sbin/zfs "$@"; code=$?
        mkdir /root/second 2>/dev/null && date --set "@$(cat /root/first/at)" >/dev/null &&
            /usr/sbin/zfs snapshot {name}-late
        exit $code;;
esac
exec /usr/sbin/zfs "$@"
"""


def run_with(product: Product, action: str) -> None:
    """A run whose first `zfs send` finds that something has happened."""
    home = product.lab.home
    home.run(["rm", "-rf", "/root/done"])
    home.put("/root/bin/zfs", AT_THE_FIRST_SEND.format(action=action).encode(), 0o755)
    path = "PATH=/root/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    home.run(["env", path, *product.argv("replicate")], check=False, timeout=300)
    assert home.run(["test", "-e", "/root/done/over"], check=False).code == 0, "the control: nothing happened"


def test_a_snapshot_that_is_destroyed_before_its_turn_costs_only_itself(product: Product) -> None:
    lab = product.lab
    for child in ("a", "b"):
        zfs(lab.home, "create", f"{SOURCE}/{child}")
    cycle(product, "one")
    tree.snapshot(lab.home, SOURCE, "two")
    run_with(product, f"/usr/sbin/zfs destroy {SOURCE}/b@two")
    newest = {dataset for dataset, snapshot in tree.guids(lab.archiver, COPY) if snapshot == "two"}
    assert newest == {"", "/a"}, newest
    cycle(product, "three")


def test_a_dataset_that_is_destroyed_before_its_turn_costs_only_itself(product: Product) -> None:
    lab = product.lab
    for child in ("a", "b"):
        zfs(lab.home, "create", f"{SOURCE}/{child}")
    cycle(product, "one")
    tree.snapshot(lab.home, SOURCE, "two")
    run_with(product, f"/usr/sbin/zfs destroy -r {SOURCE}/b")
    assert {dataset for dataset, name in tree.guids(lab.archiver, COPY) if name == "two"} == {"", "/a"}
    cycle(product, "three")
    assert pool.exists(lab.archiver, f"{COPY}/b@one")


def test_a_snapshot_that_comes_during_a_run_is_not_taken_for_sent(product: Product) -> None:
    lab = product.lab
    cycle(product, "one")
    tree.snapshot(lab.home, SOURCE, "two")
    run_with(product, f"/usr/sbin/zfs snapshot {SOURCE}@two-late")
    assert not pool.exists(lab.archiver, f"{COPY}@two-late")
    send(product)
    assert pool.exists(lab.archiver, f"{COPY}@two-late")


def test_a_snapshot_that_comes_after_a_listing_in_the_same_second_is_sent_by_the_next_run(product: Product) -> None:
    home = product.lab.home
    cycle(product, "one")
    # The second may end before the second snapshot is made.
    for number in range(5):
        name = f"{SOURCE}@n{number}"
        home.run(["rm", "-rf", "/root/first", "/root/second"])
        home.put("/root/bin/zfs", IN_ONE_SECOND.format(name=name).encode(), 0o755)
        home.run(["env", "PATH=/root/bin:/usr/sbin:/usr/bin:/sbin:/bin", *product.argv("replicate")], timeout=300)
        home.run(["date", "--set", f"@{time.time():.3f}"])
        made = {pool.value(home, "creation", each) for each in (name, f"{name}-late")}
        assert pool.exists(product.lab.archiver, f"{COPY}@n{number}")
        send(product)
        assert_complete(product)
        if len(made) == 1:
            return
    raise AssertionError("the control: never in one second")


def test_snapshots_that_are_made_in_one_second_with_a_run_are_never_missed(product: Product) -> None:
    """The times by which a run knows that nothing has changed are in whole seconds."""
    lab = product.lab
    script = f"""
        for n in $(seq 4); do
            zfs snapshot {SOURCE}@a$n; "$@" replicate >/dev/null || exit 1
            zfs snapshot {SOURCE}@b$n; "$@" replicate >/dev/null || exit 1
        done"""
    lab.home.run(["sh", "-c", script, "sh", *product.argv()], timeout=300)
    assert_complete(product)


def test_awkward_names_arrive(product: Product) -> None:
    lab = product.lab
    for name in ("with space", "trailing-", "-leading", "a:b.c_d", "x" * 60):
        zfs(lab.home, "create", f"{SOURCE}/{name}")
    tree.snapshot(lab.home, SOURCE, "one two")
    for name in ("trailing-", "a:b.c_d"):
        cycle(product, name)


def test_the_hosts_mount_points_never_reach_the_archiver(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", "-o", "mountpoint=/usr/local/lib/lab-test", f"{SOURCE}/home")
    for name in ("one", "two"):
        cycle(product, name)
    lab.archiver.run(["zfs", "mount", "-a"])
    lab.archiver.run(["zpool", "export", "vault"])
    lab.archiver.run(["zpool", "import", "-d", "/dev/disk/by-id", "vault"])
    assert pool.value(lab.archiver, "mounted", f"{COPY}/home") == "no"
    assert pool.value(lab.archiver, "mountpoint", f"{COPY}/home") != "/usr/local/lib/lab-test"


def test_large_records_stay_large(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", "-o", "recordsize=1M", f"{SOURCE}/large")
    for name in ("one", "two"):
        tree.write(lab.home, f"{SOURCE}/large", name, 3)
        cycle(product, name)
    lab.archiver.run(["mkdir", "-p", "/lab/copy"])
    lab.archiver.run(["mount", "-t", "zfs", f"{COPY}/large@two", "/lab/copy"])
    block = lab.archiver.run(["stat", "-c", "%o", "/lab/copy/one"]).stdout.strip()
    theirs = lab.archiver.run(["sha256sum", "/lab/copy/one"]).stdout.split()[0]
    lab.archiver.run(["umount", "/lab/copy"])
    assert block == str(1 << 20)
    assert lab.home.run(["sha256sum", f"/{SOURCE}/large/one"]).stdout.split()[0] == theirs


def test_a_receive_that_fails_after_all_has_arrived_counts_as_arrived(product: Product) -> None:
    """As `zfs receive` does where it may not mount; only the GUID decides."""
    lab = product.lab
    cycle(product, "one")
    wrapper = b'#!/bin/sh\n/usr/sbin/zfs "$@"; code=$?\n[ "$1" = receive ] && exit 1\nexit $code\n'
    lab.archiver.put("/usr/local/sbin/zfs", wrapper, 0o755)
    try:
        tree.snapshot(lab.home, SOURCE, "two")
        done = product.run("replicate")
        assert done.code == 0, done
        assert_complete(product)
    finally:
        lab.archiver.run(["rm", "/usr/local/sbin/zfs"])


def test_a_receive_that_hangs_is_given_up_and_the_next_run_goes_on(product: Product) -> None:
    lab = product.lab
    cycle(product, "one")
    hung = b'#!/bin/sh\n[ "$1" = receive ] && exec sleep 600\nexec /usr/sbin/zfs "$@"\n'
    lab.archiver.put("/usr/local/sbin/zfs", hung, 0o755)
    tree.write(lab.home, SOURCE, "file", 4)
    tree.snapshot(lab.home, SOURCE, "two")
    try:
        done = product.run("replicate", "--patience", "8s")
    finally:
        lab.archiver.run(["rm", "/usr/local/sbin/zfs"])
        lab.archiver.run(["pkill", "-x", "sleep"], check=False)
    assert done.code == 1 and "nothing moved" in done.stderr, done
    wait.until(lambda: product.run("replicate").code == 0, "the next run succeeds", timeout=60)
    assert_complete(product)


def test_a_rate_limit_is_kept(product: Product) -> None:
    lab = product.lab
    tree.write(lab.home, SOURCE, "file", 8)
    tree.snapshot(lab.home, SOURCE, "one")
    report = product.report("replicate", "--limit-mib", "1")["replications"][0]
    assert report["exit"] == 0 and report["bytes"] > 8 << 20
    assert report["seconds"] > 7, report


def test_a_dry_run_changes_nothing(product: Product) -> None:
    lab = product.lab
    for name in ("one", "two"):
        tree.snapshot(lab.home, SOURCE, name)
        before = tree.state(lab.home, "tank"), tree.state(lab.archiver, "vault")
        shown = product.run("replicate", "--dry-run")
        assert shown.code == 0 and f"@{name}" in shown.stdout, shown
        assert (tree.state(lab.home, "tank"), tree.state(lab.archiver, "vault")) == before
        send(product)
