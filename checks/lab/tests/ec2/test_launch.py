"""RunInstances refuses what EC2 refuses, and is done once under one token."""

import base64
import urllib.error
import urllib.request

import pytest

from checks.lab.ec2.faults import is_spot
from checks.lab.ec2.fixtures import ARM_IMAGE, IMAGE, Account, refused

TAGS = [{"ResourceType": "instance", "Tags": [{"Key": "dormouse:archiver", "Value": "a"}]}]


def test_one_token_gives_one_instance(account: Account) -> None:
    one = account.run(ClientToken="wake-1", UserData="x")
    assert account.run(ClientToken="wake-1", UserData="x") == one
    assert account.run(ClientToken="wake-2", UserData="x") != one
    assert len(account.ec2.instances()) == len(account.machines.launches) == 2


def test_a_token_answers_with_the_state_of_now(account: Account) -> None:
    account.run(ClientToken="wake-1")
    account.clock.advance(60)
    answer = account.api.run_instances(
        ClientToken="wake-1",
        ImageId=IMAGE,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        Placement={"AvailabilityZone": "us-west-2d"},
    )
    assert answer["Instances"][0]["State"]["Name"] == "running"


@pytest.mark.parametrize(
    "other", [{"UserData": "y"}, {"InstanceType": "t3.medium"}, {"TagSpecifications": TAGS}]
)
def test_a_token_with_other_parameters_is_refused(account: Account, other: dict[str, object]) -> None:
    account.run(ClientToken="wake-1", UserData="x")
    with refused("IdempotentParameterMismatch"):
        account.run(ClientToken="wake-1", **{"UserData": "x", **other})


def test_the_token_of_an_ended_instance_is_spent(account: Account) -> None:
    one = account.running(ClientToken="wake-1")
    account.api.terminate_instances(InstanceIds=[one])
    assert account.run(ClientToken="wake-1") == one
    account.clock.advance(60)
    with refused("IdempotentInstanceTerminated"):
        account.run(ClientToken="wake-1")
    account.clock.advance(7200)
    with refused("IdempotentInstanceTerminated"):
        account.run(ClientToken="wake-1")


def test_a_token_of_a_refused_call_is_not_spent(account: Account) -> None:
    account.ec2.faults.fail("RunInstances", "InsufficientInstanceCapacity")
    with refused("InsufficientInstanceCapacity"):
        account.run(ClientToken="wake-1")
    account.run(ClientToken="wake-1")


def test_user_data_has_a_limit_of_16384_raw_bytes(account: Account) -> None:
    account.run(UserData="x" * 16384)
    with refused("InvalidParameterValue", "16384"):
        account.run(UserData="x" * 16385)
    assert account.machines.launches[0].user_data == b"x" * 16384


def test_user_data_is_told_as_it_was_given(account: Account) -> None:
    instance = account.running(UserData="one\ntwo")
    told = account.api.describe_instance_attribute(InstanceId=instance, Attribute="userData")
    assert base64.b64decode(told["UserData"]["Value"]) == b"one\ntwo"


def test_an_image_that_does_not_exist_is_refused(account: Account) -> None:
    with refused("InvalidAMIID.NotFound"):
        account.run(ImageId="ami-0123456789abcdef0")
    with refused("InvalidAMIID.Malformed"):
        account.run(ImageId="nixos")


def test_an_image_of_another_architecture_is_refused(account: Account) -> None:
    with refused("InvalidParameterValue", "arm64"):
        account.run(ImageId=ARM_IMAGE)
    account.run(ImageId=ARM_IMAGE, InstanceType="t4g.small")


def test_a_type_that_the_zone_has_not_is_refused(account: Account) -> None:
    with refused("Unsupported", "us-west-2d"):
        account.run(InstanceType="t2.micro")
    with refused("InvalidParameterValue"):
        account.run(InstanceType="t99.huge")
    with refused("InvalidParameterValue", "Invalid availability zone"):
        account.run(Placement={"AvailabilityZone": "eu-west-1a"})


def test_a_security_group_that_does_not_exist_is_refused(account: Account) -> None:
    with refused("InvalidGroup.NotFound"):
        account.run(SecurityGroupIds=["sg-0123456789abcdef0"])
    nic = {"DeviceIndex": 0, "Groups": ["sg-0123456789abcdef0"]}
    with refused("InvalidGroup.NotFound"):
        account.run(NetworkInterfaces=[nic])


def test_a_key_pair_that_does_not_exist_is_refused(account: Account) -> None:
    with refused("InvalidKeyPair.NotFound"):
        account.run(KeyName="admin")


def test_a_dry_run_launches_nothing(account: Account) -> None:
    with refused("DryRunOperation"):
        account.run(DryRun=True)
    with refused("InvalidAMIID.NotFound"):
        account.run(DryRun=True, ImageId="ami-0123456789abcdef0")
    assert not account.ec2.instances()


def test_tags_are_there_from_the_first_moment(account: Account) -> None:
    instance = account.run(TagSpecifications=TAGS)
    assert account.ec2.instances()[0].instance.get_tags()[0]["value"] == "a"
    account.clock.advance(60)
    assert account.instance(instance)["Tags"] == TAGS[0]["Tags"]


def test_tags_for_a_resource_that_is_not_made_are_refused(account: Account) -> None:
    with refused("InvalidParameterValue", "taggable"):
        account.run(TagSpecifications=[{**TAGS[0], "ResourceType": "image"}])


def test_spot_capacity_may_lack_while_there_are_other_instances(account: Account) -> None:
    account.ec2.faults.fail("RunInstances", "InsufficientInstanceCapacity", times=None, when=is_spot)
    with refused("InsufficientInstanceCapacity"):
        account.run(InstanceMarketOptions={"MarketType": "spot"})
    account.run()
    account.ec2.faults.clear()
    spot = account.running(InstanceMarketOptions={"MarketType": "spot"})
    assert account.instance(spot)["InstanceLifecycle"] == "spot"


def test_metadata_options_are_kept_and_nixos_images_require_tokens(account: Account) -> None:
    instance = account.running()
    assert account.instance(instance)["MetadataOptions"]["HttpTokens"] == "required"
    asked = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    options = account.instance(account.running(MetadataOptions=asked))["MetadataOptions"]
    assert {key: options[key] for key in asked} == asked


def test_the_root_volume_may_grow_but_not_shrink(account: Account) -> None:
    def root(size: int) -> list[dict[str, object]]:
        return [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": size}}]

    with refused("InvalidBlockDeviceMapping", "expect size >= 4GB"):
        account.run(BlockDeviceMappings=root(2))
    account.running(BlockDeviceMappings=root(10))
    assert [v["Size"] for v in account.api.describe_volumes()["Volumes"]] == [10]


def test_an_unknown_action_is_refused_and_not_passed_on(account: Account) -> None:
    with refused("InvalidAction"):
        account.api.describe_nat_gateways()


def test_a_call_without_a_signature_is_refused(account: Account) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(account.ec2.endpoint, data=b"Action=DescribeInstances")
