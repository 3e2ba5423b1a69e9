"""Wherever dormouse is killed or EC2 fails on the way to ssh, a rerun goes on with what there is."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from checks.lab.tests import desk as desks_here
from checks.lab.tests.desk import Desk, Desks
from checks.lab.tests.sweep import Healthy, Kill, Trouble, assert_clear, overlaps

Make = Callable[[Desks], Desk]


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with desks_here.desks(tmp_path) as made:
        yield made


def a_blank_account(desks: Desks) -> Desk:
    return desks()


def an_archiver_that_sleeps(desks: Desks) -> Desk:
    return desks(ready=True)


SCENES = [(a_blank_account, "up --yes"), (an_archiver_that_sleeps, "wake")]
sweeps = pytest.mark.parametrize("make, command", SCENES)


def healthy(desk: Desk, command: str) -> Healthy:
    """A run in which nothing happens; which steps it has, not how often it repeats one."""
    mark = len(desk.ec2.calls)
    done = desk.follow(*command.split(), "archiver")
    assert done.reached_ssh, done
    return Healthy(desk.ec2.calls.steps(since=mark), done.said)


def at_each(points: list[Any], desks: Desks, make: Make, work: Callable[[Any, Desk], None]) -> None:
    """Works on each point at a desk of its own."""

    def apart(point: Any) -> None:
        with desks.apart() as own:
            work(point, make(own))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(apart, points))


def assert_goes_on(desk: Desk, command: str, earlier: int) -> None:
    """The rerun reaches ssh with one volume, one group, and one instance."""
    again = desk.follow(*command.split(), "archiver")
    assert again.reached_ssh, again
    region = desk.ec2.region()
    assert len([volume for volume in region.volumes.values() if not volume.is_root]) == 1
    groups = desk.api.describe_security_groups()["SecurityGroups"]
    assert len([group for group in groups if group["GroupName"] != "default"]) == 1
    assert len(desk.running()) == 1, again
    assert overlaps(desk.ec2.instances()[earlier:]) == [], again


@sweeps
def test_killed_at_any_step_on_the_way_to_ssh_it_goes_on(desks: Desks, make: Make, command: str) -> None:
    def work(kill: Kill, desk: Desk) -> None:
        earlier = len(desk.ec2.instances())
        desk.follow(*command.split(), "archiver", kill=kill)
        try:
            assert_goes_on(desk, command, earlier)
        except AssertionError as error:
            raise AssertionError(f"{kill}: {error}") from error

    at_each(healthy(make(desks), command).kills(), desks, make, work)


@sweeps
def test_when_ec2_fails_at_any_step_on_the_way_to_ssh_the_end_is_clear_and_a_rerun_goes_on(
    desks: Desks, make: Make, command: str
) -> None:
    def work(trouble: Trouble, desk: Desk) -> None:
        earlier = len(desk.ec2.instances())
        trouble.arm(desk.ec2)
        done = desk.follow(*command.split(), "archiver")
        try:
            assert done.reached_ssh or not trouble.passes, done
            if not done.reached_ssh:
                assert_clear(done.code, "".join(done.said), desk.running())
            assert_goes_on(desk, command, earlier)
        except AssertionError as error:
            raise AssertionError(f"{trouble}: {error}") from error

    at_each(healthy(make(desks), command).troubles(), desks, make, work)
