"""The NixOS module's units on real ZFS: an unprivileged user, its rights, its sandbox."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from checks.lab import pool, tree, units, wait
from checks.lab.cycle import COPY, SOURCE, assert_complete
from checks.lab.pool import zfs
from checks.lab.process import Result
from checks.lab.product import FOLDER, Product
from checks.lab.vm import Vm

JOB = "dormouse-safe.service"
SNAPSHOTS = "zfs-snapshot-frequent.service"


@pytest.fixture(name="service")
def installed_service(product: Product) -> Iterator[Product]:
    with units.installed(product, jitter=0):
        product.lab.home.run(["systemctl", "start", "zfs-dormouse.service"])
        yield product


def start(product: Product) -> Result:
    """Runs the service to its end; what it said is the result's stdout."""
    home = product.lab.home
    before = len(journal(home))
    done = home.run(["systemctl", "start", JOB], timeout=300, check=False)
    return replace(done, out=journal(home)[before:].encode())


def journal(home: Vm) -> str:
    """What the service has said."""
    home.run(["journalctl", "--sync"])
    argv = ["journalctl", "--boot", "--no-pager", "--output=cat", "--unit", JOB]
    return home.run(argv).stdout


def allowed(home: Vm, dataset: str) -> str:
    return zfs(home, "allow", dataset).stdout


def archived(product: Product) -> list[str]:
    """The snapshots at the archiver, where the first run makes the dataset."""
    argv = ["zfs", "list", "-H", "-t", "snapshot", "-o", "name", COPY]
    return product.lab.archiver.run(argv, check=False).stdout.splitlines()


def bookmarks(home: Vm) -> list[str]:
    listed = zfs(home, "list", "-H", "-r", "-t", "bookmark", "-o", "name", SOURCE).stdout
    return listed.splitlines()


def datasets(home: Vm) -> list[str]:
    return zfs(home, "list", "-H", "-r", "-o", "name", SOURCE).stdout.splitlines()


@pytest.mark.sample
def test_the_service_backs_up_with_the_modules_user_rights_and_sandbox(service: Product) -> None:
    home = service.lab.home
    # A run by hand comes first; what root leaves is not in the service's way.
    home.run(["rm", "-rf", "/run/dormouse", "/var/lib/dormouse"])
    home.run(["sh", "-c", 'umask 077 && exec "$@"', "sh", *service.argv("status")])
    zfs(home, "create", f"{SOURCE}/child")
    for name in ("one", "two"):
        tree.write(home, SOURCE, name, 1)
        tree.snapshot(home, SOURCE, name)
        done = start(service)
        assert done.code == 0 and "denied" not in done.stdout, done
        assert_complete(service)
    # What is superseded is gone: a bookmark for each dataset is left, and no hold.
    assert len(bookmarks(home)) == 2, bookmarks(home)
    assert {row[-1] for row in tree.state(home, SOURCE) if "@" in row[0]} == {"0"}
    assert pool.value(home, "com.sun:auto-snapshot", f"{SOURCE}/child") == "true"
    # Root has sent nothing.
    owner = home.run(["stat", "-c", "%U", "/run/dormouse/service"]).stdout.strip()
    assert owner == units.USER
    assert pool.value(service.lab.archiver, "readonly", COPY) == "on"


def test_each_of_the_rights_is_needed_and_no_other(service: Product) -> None:
    home = service.lab.home
    tree.snapshot(home, SOURCE, "first")
    assert start(service).code == 0, journal(home)
    for right in units.rights():
        zfs(home, "unallow", "-u", units.USER, right, SOURCE)
        # A first backup is held meanwhile unless it is small, an increment is not.
        zfs(home, "create", f"{SOURCE}/{right}")
        if right in ("hold", "release"):
            tree.write(home, f"{SOURCE}/{right}", "file", 80)
        tree.snapshot(home, SOURCE, f"without-{right}")
        without = start(service)
        assert "permission denied" in without.stdout, f"{right} is not needed: {without}"
        zfs(home, "allow", "-u", units.USER, right, SOURCE)
        # With it, everything is in order again.
        tree.snapshot(home, SOURCE, f"with-{right}")
        done = start(service)
        assert done.code == 0 and "denied" not in done.stdout, done
        assert_complete(service)
        assert len(bookmarks(home)) == len(datasets(home)), bookmarks(home)


def test_the_user_can_destroy_bookmarks_and_nothing_else(service: Product) -> None:
    home = service.lab.home
    zfs(home, "create", "-o", "canmount=off", f"{SOURCE}/child")
    tree.snapshot(home, SOURCE, "one")
    zfs(home, "bookmark", f"{SOURCE}@one", f"{SOURCE}#one")

    def as_user(*arguments: str) -> Result:
        return home.run(["runuser", "-u", units.USER, "--", "zfs", *arguments], check=False)

    refused = (
        ["destroy", f"{SOURCE}@one"],
        ["destroy", f"{SOURCE}/child@one"],
        ["destroy", "-r", f"{SOURCE}/child"],
        ["rollback", f"{SOURCE}@one"],
        ["rename", f"{SOURCE}@one", f"{SOURCE}@other"],
        ["snapshot", f"{SOURCE}@other"],
        ["set", "readonly=on", SOURCE],
    )
    before = tree.state(home, SOURCE)
    for arguments in refused:
        assert as_user(*arguments).code != 0, arguments
    assert tree.state(home, SOURCE) == before
    assert as_user("destroy", f"{SOURCE}#one").code == 0
    # The control: it is `mount` that is missing.
    zfs(home, "allow", "-u", units.USER, "mount", SOURCE)
    assert as_user("destroy", f"{SOURCE}/child@one").code == 0


def test_in_a_user_namespace_zfs_shows_no_dataset(service: Product) -> None:
    """Why the sandbox has no PrivateUsers=."""
    home = service.lab.home
    tree.snapshot(home, SOURCE, "one")
    drop_in = f"/run/systemd/system/{JOB}.d/lab.conf"
    home.put(drop_in, b"[Service]\nPrivateUsers=true\n", 0o644)
    home.run(["systemctl", "daemon-reload"])
    try:
        done = start(service)
        assert done.code != 0 and "does not exist on this host" in done.stdout, done
    finally:
        home.run(["rm", "-r", f"/run/systemd/system/{JOB}.d"])
        home.run(["systemctl", "daemon-reload"])
    assert start(service).code == 0, journal(home)


def test_rights_are_given_once_and_go_with_the_service(service: Product) -> None:
    home = service.lab.home
    expected = f"user {units.USER} {','.join(sorted(units.rights()))}"
    assert expected in allowed(home, SOURCE), allowed(home, SOURCE)
    # Another spec: what is not replicated any more loses them, what still is keeps them.
    grant = "STATE_DIRECTORY=/var/lib/dormouse/rights exec sh /lab/modules/grant.sh"
    given = f"{units.USER} {','.join(units.rights())}"
    zfs(home, "create", "tank/other")
    home.run(["sh", "-c", f"{grant} {given} tank/safe tank/other"])
    assert expected in allowed(home, SOURCE) and expected in allowed(home, "tank/other")
    home.run(["sh", "-c", f"{grant} {given} tank/other"])
    assert units.USER not in allowed(home, SOURCE) and expected in allowed(home, "tank/other")
    # That is what a switch to another generation does.
    home.run(["systemctl", "reload", "zfs-dormouse.service"])
    assert expected in allowed(home, SOURCE) and units.USER not in allowed(home, "tank/other")
    # A dataset that does not exist is an error, and the others have theirs.
    failed = home.run(["sh", "-c", f"{grant} {given} tank/none tank/safe"], check=False)
    assert failed.code != 0 and expected in allowed(home, SOURCE)
    home.run(["systemctl", "stop", "zfs-dormouse.service"])
    assert units.USER not in allowed(home, SOURCE) + allowed(home, "tank/other")


def test_every_snapshot_service_starts_a_run(service: Product) -> None:
    home = service.lab.home
    take = f"ExecStart=/bin/sh -c 'zfs snapshot -r {SOURCE}@auto-$(cat /proc/sys/kernel/random/uuid)'"
    text = f"[Service]\nType=oneshot\n{take}\n"
    home.put(f"{units.SYSTEMD}/{SNAPSHOTS}", text.encode(), 0o644)
    try:
        home.run(["systemctl", "daemon-reload"])
        for number in (1, 2):
            home.run(["systemctl", "start", SNAPSHOTS])
            wait.until(lambda: len(archived(service)) == number, f"copy {number}", 120, 1)
            idle = "systemctl is-active dormouse-safe.timer dormouse-safe.service | grep -qv '^inactive'"
            wait.until(lambda: home.run(["sh", "-c", f"! {idle}"], check=False).code == 0, "idle", 60, 1)
    finally:
        home.run(["rm", "-f", f"{units.SYSTEMD}/{SNAPSHOTS}"])


def test_the_hooks_and_alarms_of_a_failed_run_are_told_why(product: Product) -> None:
    home = product.lab.home
    result = "+/bin/sh -c 'echo $SERVICE_RESULT $EXIT_STATUS >>/run/lab-result'"
    product.replications["safe"]["exec_stop_post"] = [result]
    product.generate()
    product.install_home()
    alarm = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo alarm >>/run/lab-result'\n"
    home.put(f"{units.SYSTEMD}/lab-alarm.service", alarm.encode(), 0o644)
    try:
        with units.installed(product, jitter=0, onFailure=["lab-alarm.service"]):
            tree.snapshot(home, SOURCE, "one")
            assert start(product).code == 0, journal(home)
            home.run(["rm", "-r", f"{FOLDER}/generated/known_hosts"])
            tree.snapshot(home, SOURCE, "two")
            assert start(product).code != 0
            said = "success 0\nexit-code 1\nalarm\n"
            wait.until(lambda: home.get("/run/lab-result").decode() == said, "the alarm", 30, 0.5)
    finally:
        home.run(["rm", "-f", f"{units.SYSTEMD}/lab-alarm.service", "/run/lab-result"])


def test_the_shipped_units_back_up_on_any_linux(product: Product) -> None:
    home = product.lab.home
    product.home_secrets = "/var/lib/dormouse/secrets"
    product.install_home()
    job = "dormouse@safe.service"
    with units.shipped(home):
        for name in ("one", "two"):
            tree.snapshot(home, SOURCE, name)
            done = home.run(["systemctl", "start", job], timeout=300, check=False)
            assert done.code == 0, home.run(["journalctl", "--no-pager", "--unit", job]).stdout
            assert_complete(product)
        # Secrets of an older version have no such key, and backups go on.
        home.run(["rm", f"{product.home_secrets}/hosts/home/record_key"])
        home.run(["systemctl", "start", "dormouse-audit@safe.service"])
        said = home.run(["journalctl", "--no-pager", "--unit", "dormouse-audit@safe.service"]).stdout
        assert "0 of 1 dataset sent" in said, said
        drilled = home.run(["systemctl", "start", "dormouse-drill.service"], timeout=300, check=False)
        said = home.run(["journalctl", "--no-pager", "--unit", "dormouse-drill.service"]).stdout
        assert drilled.code == 0 and "nothing differs" in said, said
