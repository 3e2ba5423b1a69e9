"""What lasts while the archiver sleeps: its volume, which grows, its image, and what a host may give up there."""

import mmap
from pathlib import Path

import pytest

from checks.lab import process, tree, wait
from checks.lab.ec2.fixtures import client
from checks.lab.pool import resume_token, zfs
from checks.lab.tests import guest
from checks.lab.tests.sleeper.case import MIB, RETENTION, Case, images

GIB = 1 << 30


def pool_size(case: Case) -> int:
    """As the host's user sees it, from cold or while it is awake."""
    asked = case.archiver.ssh("archiver", "zpool list -H -p -o size vault")
    assert asked.code == 0, asked
    return int(asked.stdout)


def specify(case: Case, size: int) -> None:
    case.archiver.settings["volume"] = {"size_gib": size}
    case.archiver.generate()
    case.archiver.install()


@pytest.mark.long
@pytest.mark.qemu
@pytest.mark.parametrize("case", ["grown"], indirect=True)
def test_a_volume_grows_with_its_spec_asleep_and_awake_and_after_a_killed_set_up(case: Case) -> None:
    archiver, calls = case.archiver, case.archiver.cloud.ec2.calls
    tree.snapshot(archiver.lab.home, case.source, "one")
    case.replicated()
    specify(case, 130)
    mark = len(calls)
    # Killed when the volume has grown and the pool has not.
    running = archiver.start("up", "--yes", "archiver")
    wait.until(lambda: calls.count("DescribeVolumesModifications", since=mark) > 0, "the volume grows", 120)
    running.kill()
    running.wait()
    archiver.up()
    first = pool_size(case)
    assert first > 128 * GIB
    assert not archiver.is_asleep()
    specify(case, 135)
    archiver.up()
    assert pool_size(case) > 133 * GIB
    assert case.at_home() <= case.archived()


@pytest.mark.long
@pytest.mark.parametrize("case", ["pruned"], indirect=True)
def test_retention_lets_go_what_it_says_and_increments_go_on(case: Case) -> None:
    archiver, home = case.archiver, case.archiver.lab.home
    auto = [f"zfs-auto-snap_hourly-{number}" for number in range(4)]
    # It is the next import that would let them go, so it stays awake meanwhile.
    person = home.start(archiver.as_admin("echo begun >&2; sleep 1000"))
    assert any(line == "begun\n" for line in person.said())
    for name in [*auto[:2], "by-hand", auto[2]]:
        tree.snapshot(home, case.source, name)
    assert case.replicate().code == 0
    everything = archived_names(case)
    shown = archiver.report("prune", "--dry-run", "archiver")["snapshots"]
    gone = {verdict["snapshot"].partition("@")[2] for verdict in shown if verdict["destroy"]}
    assert gone == set(auto[:2]) and archived_names(case) == everything, shown
    # It would decide by the configuration that it runs, and not by what is shown.
    retain(case, RETENTION | {"daily": 1})
    refused = archiver.run("prune", "--yes", "archiver")
    assert refused.code == 1 and "an older configuration" in refused.stderr, refused
    assert "@zfs-auto-snap_hourly-0" in refused.stdout and archived_names(case) == everything, refused
    retain(case, RETENTION)
    pruned = archiver.report("prune", "--yes", "archiver")
    assert pruned["snapshots"] == shown, pruned
    assert archived_names(case) == {"by-hand", auto[2]}
    tree.snapshot(home, case.source, auto[3])
    assert case.replicate().code == 0
    assert archived_names(case) == {"by-hand", auto[2], auto[3]}
    person.kill()
    person.wait()
    # Woken, it does it by itself.
    archiver.wait_asleep()
    wait.until(lambda: archived_names(case) == {"by-hand", auto[3]}, "it has let go the rest", 120)


@pytest.mark.long
@pytest.mark.parametrize("case", ["crowded"], indirect=True)
def test_an_image_has_more_hosts_than_user_data_hold(case: Case) -> None:
    archiver = case.archiver
    archiver.others = 150
    archiver.generate()
    archiver.install()
    done = archiver.run("up", "--yes", "archiver", timeout=1800)
    assert done.code == 0 and "too long for user data" in done.stderr, done
    known = archiver.lab.home.run(archiver.as_admin("getent passwd dormouse-other-000 dormouse-other-149"), timeout=300)
    assert len(known.stdout.splitlines()) == 2, known
    archiver.wait_asleep()
    tree.snapshot(archiver.lab.home, case.source, "one")
    case.replicated()
    assert case.at_home() <= case.archived()
    archiver.others = 0
    archiver.generate()
    archiver.install()
    archiver.up()


def retain(case: Case, retention: dict[str, int]) -> None:
    case.archiver.settings["retention"] = retention
    case.archiver.generate()
    case.archiver.install()


def archived_names(case: Case) -> set[str]:
    listed = case.archiver.ssh("archiver", f"zfs list -H -r -t snapshot -o name {case.target}")
    assert listed.code == 0, listed
    return {line.partition("@")[2] for line in listed.stdout.splitlines()}


@pytest.mark.long
@pytest.mark.parametrize("case", ["stale"], indirect=True)
def test_partial_data_that_no_host_can_go_on_from_is_given_up_by_the_host_itself(case: Case) -> None:
    """First that of a whole stream, then that of an increment."""
    home = case.archiver.lab.home
    for name in ("one", "two"):
        tree.write(home, case.source, "big", 4)
        tree.snapshot(home, case.source, name)
        cut(case, name, [] if name == "one" else ["-i", "@instead-of-one"])
        zfs(home, "destroy", f"{case.source}@{name}")
        tree.snapshot(home, case.source, f"instead-of-{name}")
        assert "was deleted on the host meanwhile" in case.replicated().stdout
    assert case.at_home() <= case.archived()
    # No more than that: what has arrived is not the host's to take back.
    for command in ("zfs destroy vault/home/stale@instead-of-one", "zfs destroy -r vault/home/stale"):
        refused = case.archiver.ssh("archiver", command)
        assert refused.code != 0 and "permission denied" in refused.stderr, refused
    assert case.at_home() <= case.archived()


def cut(case: Case, name: str, base: list[str]) -> None:
    """Half of a stream arrives, and a token with it."""
    half = case.archiver.lab.home.run(
        ["sh", "-c", 'zfs send "$@" | head -c 2097152', "sh", *base, f"{case.source}@{name}"]
    ).out
    assert len(half) == 2 * MIB
    receive = f"zfs receive -s -u -x mountpoint -o canmount=noauto -o readonly=on {case.target}"
    case.archiver.lab.home.run(case.archiver.ssh_argv("archiver", receive), stdin=half, timeout=300, check=False)
    assert resume_token(case.instance, case.target)


@pytest.mark.long
@pytest.mark.parametrize("case", ["blank"], indirect=True)
def test_a_volume_without_its_pool_is_told_soon_and_the_set_up_finished_by_up(case: Case) -> None:
    """What a set-up leaves that was killed before it made the pool."""
    archiver, api = case.archiver, client(case.archiver.cloud.ec2.observer_endpoint)
    tree.snapshot(archiver.lab.home, case.source, "one")
    (full,) = api.describe_volumes(VolumeIds=archiver.volumes())["Volumes"]
    shape = {"AvailabilityZone": full["AvailabilityZone"], "Size": full["Size"], "VolumeType": full["VolumeType"]}
    ours = [{"ResourceType": "volume", "Tags": full["Tags"]}]
    api.delete_tags(Resources=[full["VolumeId"]], Tags=full["Tags"])
    blank = api.create_volume(**shape, TagSpecifications=ours)["VolumeId"]
    try:
        refused = case.replicate()
        assert refused.code == 1 and "no pool" in refused.stderr, refused
        assert "`dormouse up archiver` finishes" in refused.stderr, refused
        assert archiver.is_asleep()
        archiver.up()
        case.replicated()
        assert case.at_home() <= case.archived()
    finally:
        archiver.run("sleep", "--now", "archiver")
        api.delete_volume(VolumeId=blank)
        api.create_tags(Resources=[full["VolumeId"]], Tags=full["Tags"])


@pytest.mark.parametrize("case", ["image"], indirect=True)
def test_no_secret_is_in_the_image_that_up_bakes(case: Case, tmp_path: Path) -> None:
    (image,) = images(case.archiver)
    disk = tmp_path / "disk.img"
    baked = case.archiver.cloud.machines.image_disk(image)
    process.run(["qemu-img", "convert", "-O", "raw", str(baked), str(disk)], timeout=300)
    keys = [path for path in case.archiver.secrets.rglob("*_ed25519*") if path.suffix != ".pub"]
    assert {path.parent.name for path in keys} == {"admin", "archiver", "home"}
    # In no file, whatever key it might be; and none of ours in any block.
    marker = "OPENSSH PRIVATE KEY-----"
    assert guest.files_with(disk, marker) == set()
    assert not [path for path in keys if is_on(disk, guest.body(path.read_text()))]
    # The control: one that is planted is found in both ways.
    process.run(["debugfs", "-w", "-R", f"write {keys[0]} /etc/planted", str(disk)])
    assert {Path(path).name for path in guest.files_with(disk, marker)} == {"planted"}
    assert is_on(disk, guest.body(keys[0].read_text()))


def is_on(disk: Path, text: str) -> bool:
    """Whether it is in any block, even of a file that was deleted."""
    with disk.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as blocks:
        return blocks.find(text.encode()) != -1
