"""An archiver that sleeps: it is there while it is needed, and its volume always."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.lab import pool, sleeper, tree, wait
from checks.lab.ec2.cloud import Cloud
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.process import Result
from checks.lab.sleeper import Sleeper

SOURCE = "tank/safe"
COPY = "vault/home/safe"


@pytest.fixture(scope="module")
def cloud(machines: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with sleeper.clouded(machines, tmp_path_factory.mktemp("cloud") / "ec2") as opened:
        yield opened


@pytest.fixture
def asleep(bench: Lab, cloud: Cloud, tmp_path: Path) -> Iterator[Sleeper]:
    """A host with data and an archiver that is set up and asleep; torn down afterwards."""
    zfs(bench.home, "create", SOURCE)
    tree.write(bench.home, SOURCE, "file", 1)
    archiver = Sleeper(bench, tmp_path, cloud=cloud)
    archiver.install()
    archiver.up()
    yield archiver
    cloud.ec2.faults.clear()
    for instance in cloud.ec2.alive():
        archiver.run("sleep", "--now", "archiver")
        assert instance
    archiver.run("down", "--yes", "--destroy-data", "--confirm", "archiver", "archiver")


def replicated(archiver: Sleeper) -> Result:
    """A run that must succeed, after which the archiver sleeps."""
    done = archiver.run("replicate")
    assert done.code == 0, done
    assert archiver.is_asleep()
    return done


def archived(archiver: Sleeper) -> set[str]:
    """The GUIDs that the archiver has, as its user sees them over ssh."""
    listed = archiver.ssh("archiver", f"zfs list -H -r -t snapshot -o guid {COPY}")
    assert listed.code == 0, listed
    return set(listed.stdout.split())


def at_home(archiver: Sleeper) -> set[str]:
    return set(tree.guids(archiver.lab.home, SOURCE).values())


def tagged(archiver: Sleeper) -> list[str]:
    """What is left in EC2, as another client sees it."""
    from checks.lab.ec2.fixtures import client

    api = client(archiver.cloud.ec2.observer_endpoint)
    spec = [{"Name": "tag:dormouse:spec", "Values": ["lab"]}]
    instances = [i for r in api.describe_instances(Filters=spec)["Reservations"] for i in r["Instances"]]
    left = [i["InstanceId"] for i in instances if i["State"]["Name"] != "terminated"]
    left += [v["VolumeId"] for v in api.describe_volumes(Filters=spec)["Volumes"]]
    left += [g["GroupId"] for g in api.describe_security_groups(Filters=spec)["SecurityGroups"]]
    return left + [i["ImageId"] for i in api.describe_images(Owners=["self"], Filters=spec)["Images"]]


def test_the_whole_life_of_an_archiver(asleep: Sleeper) -> None:
    lab, calls = asleep.lab, asleep.cloud.ec2.calls
    assert len(asleep.volumes()) == 1
    for name in ("one", "two"):
        tree.write(lab.home, SOURCE, name, 1)
        tree.snapshot(lab.home, SOURCE, name)
        replicated(asleep)
        mark = len(calls.made)
        idle = replicated(asleep)
        assert "nothing to do" in idle.stdout
        # Asleep and nothing to do: EC2 is not even asked.
        assert len(calls.made) == mark
    # From cold, with the host key that the generated ssh_config pins.
    assert at_home(asleep) <= archived(asleep)
    assert not asleep.is_asleep()
    asleep.wait_asleep()
    # Setting up again adopts what is there.
    before = tagged(asleep)
    asleep.up()
    assert sorted(tagged(asleep)) == sorted(before)
    down = asleep.run("down", "--yes", "archiver")
    assert down.code == 0, down
    assert tagged(asleep) == asleep.volumes() and len(asleep.volumes()) == 1
    # The name decides, and only the right one.
    kept = asleep.run("down", "--yes", "--destroy-data", "--confirm", "archive", "archiver")
    assert kept.code == 1 and len(asleep.volumes()) == 1, kept
    gone = asleep.run("down", "--yes", "--destroy-data", "--confirm", "archiver", "archiver")
    assert gone.code == 0, gone
    assert tagged(asleep) == [] and asleep.volumes() == []


def test_what_dies_midway_leaves_nothing_running_and_can_be_repeated(asleep: Sleeper) -> None:
    lab, ec2 = asleep.lab, asleep.cloud.ec2
    tree.snapshot(lab.home, SOURCE, "one")
    # The host dies while its archiver is on its way up.
    running = asleep.start("replicate")
    wait.until(lambda: len(ec2.alive()) == 1, "an instance")
    running.kill()
    running.wait()
    asleep.wait_asleep(240)
    # The answer to the launch is lost: there is one instance, and it is found again.
    ec2.faults.lose_reply("RunInstances")
    launched = ec2.calls.count("RunInstances")
    replicated(asleep)
    assert ec2.calls.count("RunInstances") > launched
    assert len(asleep.volumes()) == 1
    # EC2 forbids one call: the missing action is named, and nothing was launched for it.
    tree.snapshot(lab.home, SOURCE, "two")
    ec2.faults.deny("RunInstances")
    refused = asleep.run("replicate")
    assert refused.code == 1 and "ec2:RunInstances" in refused.stderr, refused
    assert asleep.is_asleep()
    ec2.faults.clear()
    # The volume cannot be attached: what was launched is ended again.
    ec2.faults.deny("AttachVolume")
    refused = asleep.run("replicate")
    assert refused.code == 1 and "ec2:AttachVolume" in refused.stderr, refused
    assert asleep.is_asleep()
    # It cannot even be ended: the exit code and the message say so.
    ec2.faults.deny("TerminateInstances")
    lost = asleep.run("replicate")
    assert lost.code == 6, lost
    instance = ec2.alive()[0].id
    assert instance in lost.stderr and "terminate-instances" in lost.stderr, lost
    # It has no volume, so it was never of use; it powers off by itself all the same.
    asleep.wait_asleep(240)
    ec2.faults.clear()
    replicated(asleep)
    assert at_home(asleep) <= archived(asleep)


def test_a_killed_archiver_comes_back_with_everything(asleep: Sleeper) -> None:
    lab, ec2 = asleep.lab, asleep.cloud.ec2
    zfs(lab.home, "create", f"{SOURCE}/big")
    tree.write(lab.home, f"{SOURCE}/big", "file", 48)
    tree.snapshot(lab.home, SOURCE, "one")
    with lab.rate_limit(lab.home, "32mbit"):
        sent = lab.sent(lab.home)
        running = asleep.start("replicate")
        wait.until(lambda: lab.sent(lab.home) - sent > 16 << 20, "part of it is sent", 180)
        asleep.cloud.vm(ec2.alive()[0].id).kill()
        cut = running.wait(timeout=600)
    assert cut.code in (1, 3, 5), cut
    assert asleep.is_asleep()
    # Its pool was never exported; the same host id imports it all the same.
    resumed = replicated(asleep)
    assert "resuming" in resumed.stdout, resumed
    assert at_home(asleep) <= archived(asleep)
    assert pool.exists(lab.home, SOURCE)
