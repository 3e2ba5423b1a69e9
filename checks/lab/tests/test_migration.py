"""A volume cannot shrink, so a smaller one takes its place, with everything that was on it."""

from collections.abc import Iterator
from typing import Any

import pytest

from checks.lab import sleeper, tree, wait
from checks.lab.ec2.fixtures import client
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.sleeper import Sleeper

BIG, SMALL = 150, 125
TREE = {"archiver": "archiver", "source": "tank/tree", "target": "vault/home/tree", "recursive": True}


@pytest.fixture
def archiver(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleeper]:
    """An archiver whose spec says less than it has, with two backups of a tree."""
    folder = tmp_path_factory.mktemp("migration")
    home = pair.home
    for dataset in ("tree", "tree/below", "tree/below/deep"):
        zfs(home, "create", f"tank/{dataset}")
    with sleeper.clouded(pair, folder / "ec2") as cloud:
        archiver = Sleeper(pair, folder, {"tree": TREE}, cloud=cloud, settings={"volume": {"size_gib": BIG}})
        archiver.generate()
        archiver.install()
        archiver.up()
        for name in ("one", "two"):
            tree.write(home, "tank/tree/below", name, 1)
            tree.snapshot(home, "tank/tree", name)
            assert archiver.run("replicate", timeout=600).code == 0
        archiver.settings["volume"] = {"size_gib": SMALL}
        archiver.generate()
        archiver.install()
        yield archiver


def archived(archiver: Sleeper) -> set[str]:
    listed = archiver.ssh("archiver", "zfs list -H -r -t snapshot -o guid vault/home/tree")
    assert listed.code == 0, listed
    return set(listed.stdout.split())


def described(archiver: Sleeper, volume: str) -> dict[str, Any]:
    api = client(archiver.cloud.ec2.observer_endpoint)
    return dict(api.describe_volumes(VolumeIds=[volume])["Volumes"][0])


@pytest.mark.long
def test_a_smaller_volume_takes_the_place_of_a_bigger_one(archiver: Sleeper) -> None:
    home, ec2 = archiver.lab.home, archiver.cloud.ec2
    (old,) = archiver.volumes()
    refused = archiver.run("up", "--yes", "archiver")
    assert refused.code == 1 and "dormouse up --migrate archiver" in refused.stderr, refused
    # Killed while it copies, it goes on from there.
    mark = len(ec2.calls)
    running = archiver.start("up", "--yes", "--migrate", "archiver")
    wait.until(lambda: ec2.calls.count("AttachVolume", since=mark) == 2, "both volumes are attached", 240)
    running.kill()
    running.wait()
    archiver.wait_asleep(240)
    assert archiver.run("replicate", "--audit", timeout=600).code == 0
    migrated = archiver.run("up", "--yes", "--migrate", "archiver", timeout=900)
    assert migrated.code == 0, migrated
    assert archiver.is_asleep()
    (new,) = set(archiver.volumes()) - {old}
    assert described(archiver, new)["Size"] == SMALL
    # The host goes on with increments, and everything is there.
    tree.write(home, "tank/tree/below/deep", "three", 1)
    tree.snapshot(home, "tank/tree", "three")
    assert archiver.run("replicate", timeout=600).code == 0
    assert set(tree.guids(home, "tank/tree").values()) <= archived(archiver)
    assert described(archiver, new)["State"] == "in-use" and described(archiver, old)["State"] == "available"
    # The old volume is the user's to delete.
    archiver.run("sleep", "--now", "archiver")
    gone = archiver.run("down", "--yes", "--destroy-data", "--confirm", "archiver", "archiver")
    assert gone.code == 0, gone
    # EC2 goes on with it for a moment after it has said yes.
    wait.until(lambda: archiver.volumes() == [], "the volumes are deleted", 30)
