"""Trouble comes when a test asks for it, and every call is on record."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ConnectionClosedError

from checks.lab.ec2 import ec2
from checks.lab.ec2.faults import Step
from checks.lab.ec2.fixtures import Account, client, refused


def until_refused(call: Callable[[], object], most: int) -> int:
    for number in range(most):
        try:
            call()
        except Exception as error:
            assert "RequestLimitExceeded" in str(error)
            return number
    return most


def test_a_call_fails_as_often_as_it_was_told_to(account: Account) -> None:
    account.ec2.faults.fail("CreateVolume", "InternalError", times=2)
    for _ in range(2):
        with refused("InternalError"):
            account.volume()
    account.volume()
    account.ec2.faults.fail("*", "Unavailable", times=None)
    for _ in range(5):
        with refused("Unavailable"):
            account.api.describe_volumes()
    account.ec2.faults.clear()
    assert len(account.api.describe_volumes()["Volumes"]) == 1


def test_a_lost_reply_leaves_an_instance_that_its_token_finds(account: Account) -> None:
    account.ec2.faults.lose_reply("RunInstances")
    with pytest.raises(ConnectionClosedError):
        account.run(ClientToken="wake-1")
    (life,) = account.ec2.instances()
    assert account.run(ClientToken="wake-1") == life.id
    assert len(account.ec2.instances()) == 1


def test_a_lost_request_leaves_nothing(account: Account) -> None:
    account.ec2.faults.lose_request("RunInstances")
    with pytest.raises(ConnectionClosedError):
        account.run(ClientToken="wake-1")
    assert account.ec2.instances() == []


def test_a_step_is_a_call_and_all_that_only_repeat_it(account: Account) -> None:
    happened: list[int] = []
    account.ec2.faults.at(2, lambda: happened.append(len(account.ec2.region().volumes)), done=False)
    account.ec2.faults.at(4, lambda: happened.append(len(account.ec2.region().volumes)), done=True)
    account.api.describe_volumes()
    account.api.describe_volumes()
    for _ in range(2):
        with pytest.raises(ConnectionClosedError):
            account.volume()
        account.api.describe_volumes()
    assert happened == [0, 1]
    assert account.ec2.calls.steps() == ["DescribeVolumes", "CreateVolume"] * 2 + ["DescribeVolumes"]


def test_a_fault_that_begins_at_a_step_hits_its_action_from_then_on(account: Account) -> None:
    account.ec2.faults.fail("*", "Unavailable", times=None, when=Step(2, onwards=True))
    account.api.describe_volumes()
    for _ in range(2):
        with refused("Unavailable"):
            account.api.describe_instances()
        account.api.describe_volumes()


def test_a_delayed_call_is_answered_late_and_holds_up_no_other(account: Account) -> None:
    account.ec2.faults.delay("DescribeVolumes", 0.5)
    begin = time.monotonic()
    with ThreadPoolExecutor() as threads:
        late = threads.submit(account.api.describe_volumes)
        account.api.describe_instances()
        assert time.monotonic() - begin < 0.5
        late.result()
    assert time.monotonic() - begin >= 0.5


def test_a_denied_action_is_unauthorized_and_named(account: Account) -> None:
    account.ec2.faults.deny("CreateVolume")
    with refused("UnauthorizedOperation", "ec2:CreateVolume"):
        account.volume(DryRun=True)
    with refused("UnauthorizedOperation"):
        account.volume()
    account.running()
    account.ec2.faults.allow("CreateVolume")
    account.volume()


def test_listing_everything_is_throttled_sooner_than_filtered_reading(account: Account) -> None:
    filters = [{"Name": "instance-state-name", "Values": ["running"]}]
    assert until_refused(lambda: account.api.describe_instances(), 200) == 50
    assert until_refused(lambda: account.api.describe_instances(Filters=filters), 200) == 100


def test_tokens_come_back_with_time(account: Account) -> None:
    assert until_refused(lambda: account.api.describe_instances(), 200) == 50
    account.clock.advance(2)
    assert until_refused(lambda: account.api.describe_instances(), 200) == 20
    account.clock.advance(3600)
    assert until_refused(lambda: account.api.describe_instances(), 200) == 50


def test_changes_are_throttled_action_by_action(account: Account) -> None:
    volume = account.volume()
    tags = [{"Key": "a", "Value": "b"}]
    assert until_refused(lambda: account.api.create_tags(Resources=[volume], Tags=tags), 200) == 50
    account.volume()


def test_every_call_is_on_record_without_secrets(account: Account) -> None:
    instance = account.running(UserData="SSH_HOST_ED25519_KEY:secret", InstanceType="t3.small")
    mark = len(account.ec2.calls)
    with refused("InvalidVolume.NotFound"):
        account.volume_state("vol-0123456789abcdef0")
    account.api.terminate_instances(InstanceIds=[instance])
    launch = account.ec2.calls.made[0]
    assert (launch.action, launch.parameters["InstanceType"]) == ("RunInstances", "t3.small")
    assert launch.parameters["UserData"].startswith("sha256:")
    assert account.ec2.calls.by_action(since=mark) == {"DescribeVolumes": 1, "TerminateInstances": 1}
    assert account.ec2.calls.count("TerminateInstances") == 1
    assert account.ec2.calls.made[mark].outcome == "InvalidVolume.NotFound"


def test_a_test_can_look_without_being_seen(account: Account) -> None:
    account.ec2.faults.fail("*", "Unavailable", times=None)
    observer = client(account.ec2.observer_endpoint)
    for _ in range(60):
        assert observer.describe_volumes()["Volumes"] == []
    assert len(account.ec2.calls) == 0


def test_two_ec2_at_once_do_not_meet(account: Account) -> None:
    account.running()
    with ec2.opened() as other:
        assert client(other.endpoint).describe_instances()["Reservations"] == []
        assert len(other.calls) == 1
