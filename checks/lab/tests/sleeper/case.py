"""One test's part of an archiver that the tests of this folder share."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from checks.lab import sleeper, tree, wait
from checks.lab.ec2.fixtures import client
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.process import Result
from checks.lab.remote import Running
from checks.lab.sleeper import Sleeper
from checks.lab.vm import Vm

MIB = 1 << 20
# Setting an archiver up takes minutes, so the tests share one; each has a replication of its own.
NAMES = "blank crowded cut faults grown image killed life orphan patient pruned quick stale upgraded woken".split()
RETENTION = {"hourly": 0}


@pytest.fixture(scope="package")
def shared(machines: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleeper]:
    """An archiver that is known to its spec, and nothing more."""
    replications = {
        name: {"archiver": "archiver", "source": f"tank/{name}", "target": f"vault/home/{name}"} for name in NAMES
    }
    folder = tmp_path_factory.mktemp("sleeper")
    with sleeper.clouded(machines, folder / "ec2") as cloud:
        archiver = Sleeper(machines, folder, replications, cloud=cloud, settings={"retention": RETENTION})
        archiver.generate()
        yield archiver


@dataclass
class Case:
    """A dataset at home, and its copy on an archiver that is set up and asleep."""

    archiver: Sleeper
    name: str

    @property
    def source(self) -> str:
        return f"tank/{self.name}"

    @property
    def target(self) -> str:
        return f"vault/home/{self.name}"

    @property
    def instance(self) -> Vm:
        """The machine that is the archiver now."""
        (life,) = self.archiver.cloud.ec2.alive()
        return self.archiver.cloud.vm(life.id)

    def make(self) -> None:
        zfs(self.archiver.lab.home, "create", self.source)
        tree.write(self.archiver.lab.home, self.source, "file", 1)

    def beside(self, name: str) -> "Case":
        """Another dataset of this host."""
        other = Case(self.archiver, name)
        other.make()
        return other

    def start_big(self, *prefix: str, mebibytes: int = 40) -> Running:
        """Starts a run that has much to send, and returns when it has sent some of it."""
        lab = self.archiver.lab
        tree.write(lab.home, self.source, "big", mebibytes)
        tree.snapshot(lab.home, self.source, "big")
        sent = lab.sent(lab.home)
        running = lab.home.start([*prefix, *self.archiver.argv("replicate", self.name)])
        wait.until(lambda: lab.sent(lab.home) - sent > 12 * MIB, "part of it is sent", 240)
        return running

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
        listed = self.archiver.ssh("archiver", f"zfs list -H -r -t snapshot -o guid {self.target}")
        assert listed.code == 0, listed
        return set(listed.stdout.split())


@pytest.fixture
def case(pair: Lab, shared: Sleeper, request: pytest.FixtureRequest) -> Iterator[Case]:
    shared.install()
    case = Case(shared, request.param)
    case.make()
    if not shared.is_set_up or not images(shared):
        shared.up()
    yield case
    shared.cloud.ec2.faults.clear()
    shared.run("sleep", "--now", "archiver")


def images(archiver: Sleeper) -> list[str]:
    """The images that were baked for it."""
    api = client(archiver.cloud.ec2.observer_endpoint)
    spec = [{"Name": "tag:dormouse:spec", "Values": ["lab"]}]
    return [image["ImageId"] for image in api.describe_images(Owners=["self"], Filters=spec)["Images"]]
