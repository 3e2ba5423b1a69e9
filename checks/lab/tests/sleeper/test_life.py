"""An archiver that sleeps: it is there while it is needed, and its volume always."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from checks.lab import sleeper, tree, wait
from checks.lab.ec2.fixtures import client
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.process import Result
from checks.lab.sleeper import Sleeper

# Setting an archiver up takes minutes, so the tests share one; each has a replication of its own.
NAMES = ["faults", "killed", "life"]


@pytest.fixture(scope="module")
def shared(machines: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleeper]:
    """An archiver that is known to its spec, and nothing more."""
    replications = {
        name: {"archiver": "archiver", "source": f"tank/{name}", "target": f"vault/home/{name}"} for name in NAMES
    }
    folder = tmp_path_factory.mktemp("sleeper")
    with sleeper.clouded(machines, folder / "ec2") as cloud:
        archiver = Sleeper(machines, folder, replications, cloud=cloud)
        archiver.generate()
        yield archiver


@dataclass
class Case:
    """One test's part: a dataset at home, and its copy on an archiver that is set up and asleep."""

    archiver: Sleeper
    name: str

    @property
    def source(self) -> str:
        return f"tank/{self.name}"

    def replicate(self) -> Result:
        return self.archiver.run("replicate", self.name, timeout=600)

    def replicated(self) -> Result:
        """A run that must succeed, after which the archiver sleeps."""
        done = self.replicate()
        assert done.code == 0, done
        assert self.archiver.is_asleep()
        return done

    def at_home(self) -> set[str]:
        return set(tree.guids(self.archiver.lab.home, self.source).values())

    def archived(self) -> set[str]:
        """The GUIDs that the archiver has, as its user sees them over ssh, from cold."""
        listed = self.archiver.ssh("archiver", f"zfs list -H -r -t snapshot -o guid vault/home/{self.name}")
        assert listed.code == 0, listed
        return set(listed.stdout.split())


@pytest.fixture
def case(bench: Lab, shared: Sleeper, request: pytest.FixtureRequest) -> Iterator[Case]:
    shared.install()
    case = Case(shared, request.param)
    zfs(bench.home, "create", case.source)
    tree.write(bench.home, case.source, "file", 1)
    shared.up()
    yield case
    shared.cloud.ec2.faults.clear()
    shared.run("sleep", "--now", "archiver")


def tagged(archiver: Sleeper) -> list[str]:
    """What is left in EC2, as another client sees it."""
    api = client(archiver.cloud.ec2.observer_endpoint)
    spec = [{"Name": "tag:dormouse:spec", "Values": ["lab"]}]
    instances = [i for r in api.describe_instances(Filters=spec)["Reservations"] for i in r["Instances"]]
    left = [i["InstanceId"] for i in instances if i["State"]["Name"] != "terminated"]
    left += [v["VolumeId"] for v in api.describe_volumes(Filters=spec)["Volumes"]]
    left += [g["GroupId"] for g in api.describe_security_groups(Filters=spec)["SecurityGroups"]]
    return left + [i["ImageId"] for i in api.describe_images(Owners=["self"], Filters=spec)["Images"]]


@pytest.mark.parametrize("case", ["faults"], indirect=True)
def test_what_fails_midway_leaves_nothing_running_and_can_be_repeated(case: Case) -> None:
    archiver, ec2 = case.archiver, case.archiver.cloud.ec2
    tree.snapshot(archiver.lab.home, case.source, "one")
    # The host dies while its archiver is on its way up.
    running = archiver.start("replicate", case.name)
    wait.until(lambda: len(ec2.alive()) == 1, "an instance")
    running.kill()
    running.wait()
    archiver.wait_asleep(240)
    # The answer to the launch is lost: there is one instance, and it is found again.
    ec2.faults.lose_reply("RunInstances")
    before = len(ec2.instances())
    case.replicated()
    assert len(ec2.instances()) == before + 1
    assert len(archiver.volumes()) == 1
    # EC2 forbids the launch: the missing action is named.
    tree.snapshot(archiver.lab.home, case.source, "two")
    ec2.faults.deny("RunInstances")
    refused = case.replicate()
    assert refused.code == 1 and "ec2:RunInstances" in refused.stderr, refused
    ec2.faults.clear()
    # The volume cannot be attached: what was launched is ended again.
    ec2.faults.deny("AttachVolume")
    refused = case.replicate()
    assert refused.code == 1 and "ec2:AttachVolume" in refused.stderr, refused
    assert archiver.is_asleep()
    # It cannot even be ended: the exit code and the message say so, and it ends by itself.
    ec2.faults.deny("TerminateInstances")
    lost = case.replicate()
    assert lost.code == 6, lost
    instance = ec2.alive()[0].id
    assert instance in lost.stderr and "terminate-instances" in lost.stderr, lost
    archiver.wait_asleep(240)
    ec2.faults.clear()
    case.replicated()
    assert case.at_home() <= case.archived()


@pytest.mark.parametrize("case", ["killed"], indirect=True)
def test_an_archiver_that_is_killed_comes_back_with_everything(case: Case) -> None:
    archiver, lab = case.archiver, case.archiver.lab
    tree.write(lab.home, case.source, "big", 40)
    tree.snapshot(lab.home, case.source, "one")
    with lab.rate_limit(lab.home, "24mbit"):
        sent = lab.sent(lab.home)
        running = archiver.start("replicate", case.name)
        wait.until(lambda: lab.sent(lab.home) - sent > 12 << 20, "part of it is sent", 240)
        archiver.cloud.vm(archiver.cloud.ec2.alive()[0].id).kill()
        cut = running.wait(timeout=600)
    assert cut.code in (1, 3, 5), cut
    assert archiver.is_asleep()
    # Its pool was never exported; the same host id imports it all the same.
    resumed = case.replicated()
    assert "resuming" in resumed.stdout, resumed
    assert case.at_home() <= case.archived()


@pytest.mark.parametrize("case", ["life"], indirect=True)
def test_the_whole_life_of_an_archiver(case: Case) -> None:
    archiver, calls = case.archiver, case.archiver.cloud.ec2.calls
    for name in ("one", "two"):
        tree.write(archiver.lab.home, case.source, name, 1)
        tree.snapshot(archiver.lab.home, case.source, name)
        case.replicated()
        mark = len(calls.made)
        idle = case.replicated()
        assert "nothing to do" in idle.stdout
        # Asleep and nothing to do: EC2 is not even asked.
        assert len(calls.made) == mark
    # From cold, with the host key that the generated ssh_config pins.
    assert case.at_home() <= case.archived()
    assert not archiver.is_asleep()
    archiver.wait_asleep()
    # Setting up again adopts what is there.
    before = sorted(tagged(archiver))
    archiver.up()
    assert sorted(tagged(archiver)) == before
    down = archiver.run("down", "--yes", "archiver")
    assert down.code == 0, down
    assert tagged(archiver) == archiver.volumes() and len(archiver.volumes()) == 1
    # The name decides, and only the right one.
    kept = archiver.run("down", "--yes", "--destroy-data", "--confirm", "archive", "archiver")
    assert kept.code == 1 and len(archiver.volumes()) == 1, kept
    gone = archiver.run("down", "--yes", "--destroy-data", "--confirm", "archiver", "archiver")
    assert gone.code == 0, gone
    assert tagged(archiver) == [] and archiver.volumes() == []
