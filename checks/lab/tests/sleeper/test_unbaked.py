"""An archiver without an image of its own: a public image becomes the configuration at each wake."""

from collections.abc import Iterator

import pytest

from checks.lab import sleeper, tree
from checks.lab.ec2.fixtures import IMAGE
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.sleeper import Sleeper
from checks.lab.tests.sleeper.case import Case, images


@pytest.fixture
def unbaked(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("unbaked")
    replication = {"archiver": "archiver", "source": "tank/plain", "target": "vault/home/plain"}
    provider = {"image": {"id": IMAGE, "bake": False}, "market": "spot"}
    with sleeper.clouded(pair, folder / "ec2") as cloud:
        archiver = Sleeper(pair, folder, {"plain": replication}, cloud=cloud, provider=provider)
        archiver.generate()
        archiver.install()
        zfs(pair.home, "create", "tank/plain")
        yield Case(archiver, "plain")


@pytest.mark.long
def test_an_image_named_by_its_id_serves_unbaked_and_on_spot(unbaked: Case) -> None:
    archiver, ec2 = unbaked.archiver, unbaked.archiver.cloud.ec2
    archiver.up()
    assert images(archiver) == []
    for name in ("one", "two"):
        tree.write(archiver.lab.home, unbaked.source, name, 1)
        tree.snapshot(archiver.lab.home, unbaked.source, name)
        unbaked.replicated()
    assert unbaked.at_home() <= unbaked.archived()
    assert {life.instance.image_id for life in ec2.instances()} == {IMAGE}
    assert {life.instance.lifecycle for life in ec2.instances()} == {"spot"}
    archiver.wait_asleep()
