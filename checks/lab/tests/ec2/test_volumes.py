"""Volumes: sizes, tokens, attachments and their states."""

import pytest

from checks.lab.ec2.fixtures import ZONE, Account, refused

DATA = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 500, "VolumeType": "sc1"}}]


@pytest.mark.parametrize(
    ("kind", "size"),
    [("sc1", 10), ("sc1", 124), ("st1", 16385), ("gp3", 65537), ("io2", 3), ("standard", 1025)],
)
def test_a_size_that_the_type_has_not_is_refused(account: Account, kind: str, size: int) -> None:
    with refused("InvalidParameterValue", kind):
        account.volume(VolumeType=kind, Size=size)


def test_the_smallest_and_largest_sizes_are_accepted(account: Account) -> None:
    for kind, size in [("sc1", 125), ("sc1", 16384), ("st1", 125), ("gp3", 1), ("gp3", 65536)]:
        assert account.describe_volume(account.volume(VolumeType=kind, Size=size))["Size"] == size


def test_one_token_gives_one_volume(account: Account) -> None:
    one = account.volume(ClientToken="vault")
    assert account.volume(ClientToken="vault") == one
    with refused("IdempotentParameterMismatch"):
        account.volume(ClientToken="vault", Size=600)
    assert account.volume(ClientToken="other") != one
    assert len(account.machines.sizes) == 2


def test_a_volume_is_created_with_its_tags_and_encryption(account: Account) -> None:
    tags = [{"Key": "dormouse:archiver", "Value": "a"}]
    spec = [{"ResourceType": "volume", "Tags": tags}]
    volume = account.api.create_volume(
        AvailabilityZone=ZONE, Size=125, VolumeType="sc1", Encrypted=True, TagSpecifications=spec
    )
    assert (volume["State"], volume["Encrypted"], volume["Tags"]) == ("creating", True, tags)
    assert account.volume_state(volume["VolumeId"]) == "creating"
    account.clock.advance(4)
    assert account.volume_state(volume["VolumeId"]) == "available"


def test_a_zone_that_does_not_exist_is_refused(account: Account) -> None:
    with refused("InvalidZone.NotFound"):
        account.volume(AvailabilityZone="us-west-2z")


def test_attaching_and_detaching_take_time(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    answer = account.api.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    assert answer["State"] == "attaching"
    described = account.describe_volume(volume)
    assert (described["State"], described["Attachments"][0]["State"]) == ("in-use", "attaching")
    account.clock.advance(5)
    assert account.describe_volume(volume)["Attachments"][0]["State"] == "attached"
    assert account.machines.plugged == {volume: instance}
    assert account.api.detach_volume(VolumeId=volume)["State"] == "detaching"
    assert account.describe_volume(volume)["Attachments"][0]["State"] == "detaching"
    account.clock.advance(7)
    assert account.volume_state(volume) == "available"
    assert account.machines.plugged == {}


def test_a_volume_is_not_attached_before_the_machine_has_it(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    account.machines.plugs = False
    account.attached(volume, instance)
    assert account.describe_volume(volume)["Attachments"][0]["State"] == "attaching"
    account.machines.plugs = True
    assert account.describe_volume(volume)["Attachments"][0]["State"] == "attached"


def test_a_volume_of_another_zone_is_refused(account: Account) -> None:
    instance, volume = account.running(), account.volume(AvailabilityZone="us-west-2a")
    with refused("InvalidVolume.ZoneMismatch"):
        account.attached(volume, instance)


def test_a_volume_that_is_in_use_is_refused(account: Account) -> None:
    one, other, volume = account.running(), account.running(), account.volume()
    account.attached(volume, one)
    for instance in (one, other):
        with refused("VolumeInUse"):
            account.attached(volume, instance)
    account.api.terminate_instances(InstanceIds=[one])
    with refused("VolumeInUse"):
        account.attached(volume, other)
    account.clock.advance(31)
    account.attached(volume, other)


def test_a_volume_is_refused_by_an_instance_that_does_not_run(account: Account) -> None:
    volume = account.volume()
    instance = account.run()
    account.clock.advance(5)
    with refused("IncorrectState", "not 'running'"):
        account.attached(volume, instance)
    account.clock.advance(60)
    account.api.terminate_instances(InstanceIds=[instance])
    with refused("IncorrectState"):
        account.attached(volume, instance)


def test_a_volume_is_refused_while_it_is_made(account: Account) -> None:
    instance = account.running()
    volume = account.api.create_volume(AvailabilityZone=ZONE, Size=500, VolumeType="sc1")["VolumeId"]
    with refused("IncorrectState", "not 'available'"):
        account.attached(volume, instance)


def test_what_does_not_exist_is_not_attached(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    with refused("InvalidVolume.NotFound"):
        account.attached("vol-0123456789abcdef0", instance)
    with refused("InvalidInstanceID.NotFound"):
        account.attached(volume, "i-0123456789abcdef0")


def test_a_device_name_is_used_once(account: Account) -> None:
    instance, one, other = account.running(), account.volume(), account.volume()
    account.attached(one, instance)
    with refused("InvalidParameterValue", "already in use"):
        account.attached(other, instance)


def test_a_volume_in_use_is_not_deleted(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    account.attached(volume, instance)
    with refused("VolumeInUse"):
        account.api.delete_volume(VolumeId=volume)
    account.api.terminate_instances(InstanceIds=[instance])
    account.clock.advance(31)
    account.api.delete_volume(VolumeId=volume)
    account.clock.advance(3)
    with refused("InvalidVolume.NotFound"):
        account.volume_state(volume)
    assert account.machines.sizes == {}


def test_a_volume_attached_later_outlives_its_instance(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    account.attached(volume, instance)
    assert account.describe_volume(volume)["Attachments"][0]["DeleteOnTermination"] is False
    account.api.terminate_instances(InstanceIds=[instance])
    account.clock.advance(31)
    assert account.volume_state(volume) == "available"
    assert [v["VolumeId"] for v in account.api.describe_volumes()["Volumes"]] == [volume]


def test_a_volume_of_the_launch_is_deleted_with_its_instance(account: Account) -> None:
    instance = account.running(BlockDeviceMappings=DATA)
    mapping = account.instance(instance)["BlockDeviceMappings"]
    assert [(m["DeviceName"], m["Ebs"]["DeleteOnTermination"]) for m in mapping] == [
        ("/dev/xvda", True),
        ("/dev/sdf", True),
    ]
    volume = mapping[1]["Ebs"]["VolumeId"]
    assert account.machines.plugged == {volume: instance}
    account.api.terminate_instances(InstanceIds=[instance])
    account.clock.advance(31)
    with refused("InvalidVolume.NotFound"):
        account.volume_state(volume)
    assert account.machines.sizes == {}


def test_deletion_on_termination_may_be_changed(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    account.attached(volume, instance)
    mapping = {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}
    account.api.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=[mapping])
    assert account.describe_volume(volume)["Attachments"][0]["DeleteOnTermination"] is True


def test_a_root_volume_is_not_detached_from_a_running_instance(account: Account) -> None:
    instance = account.running()
    root = account.instance(instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    with refused("OperationNotPermitted"):
        account.api.detach_volume(VolumeId=root)


def test_a_volume_is_made_of_an_ebs_snapshot_when_that_is_complete(account: Account) -> None:
    volume = account.volume(Size=125)
    snapshot = account.api.create_snapshot(VolumeId=volume)
    assert snapshot["State"] == "pending"
    with refused("IncorrectState"):
        account.volume(SnapshotId=snapshot["SnapshotId"])
    account.clock.advance(130)
    with refused("InvalidParameterValue"):
        account.volume(SnapshotId=snapshot["SnapshotId"], Size=124, VolumeType="gp3")
    assert account.describe_volume(account.volume(SnapshotId=snapshot["SnapshotId"], Size=200))["Size"] == 200
