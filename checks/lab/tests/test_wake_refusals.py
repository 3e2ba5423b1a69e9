"""What EC2 refuses is told in its own words, with the next step, and leaves nothing running."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from checks.lab import callers
from checks.lab.ec2.ec2 import REGION, ZONE
from checks.lab.ec2.faults import is_spot
from checks.lab.ec2.fixtures import IMAGE, client
from checks.lab.ec2.iam.launches import Doubts
from checks.lab.process import Result
from checks.lab.tests import desk as desks_here
from checks.lab.tests.desk import TAGS, Desk, Desks

ELSEWHERE = f"{REGION}a"


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with desks_here.desks(tmp_path) as made:
        yield made


def refused(desk: Desk, *said: str, command: str = "wake", code: int = 1) -> Result:
    """The command fails like this, says this, and leaves nothing running."""
    result = desk.run(*command.split(), "archiver")
    assert result.code == code, result
    for words in said:
        assert words in result.stderr, (words, str(result))
    assert "help: " in result.stderr, result
    if code != 6:
        assert desk.running() == [], result
    return result


def test_without_capacity_nothing_runs_and_another_type_is_advised(desks: Desks) -> None:
    desk = desks(ready=True)
    desk.ec2.faults.fail("RunInstances", "InsufficientInstanceCapacity", times=None)
    refused(desk, "InsufficientInstanceCapacity", "instance_type", "describe-instance-type-offerings")
    assert desk.launches() == ["InsufficientInstanceCapacity"]


@pytest.mark.parametrize(
    "code", ["InsufficientInstanceCapacity", "SpotMaxPriceTooLow", "MaxSpotInstanceCountExceeded"]
)
def test_spot_without_capacity_falls_back_to_on_demand(desks: Desks, code: str) -> None:
    desk = desks(ready=True, market="spot")
    desk.ec2.faults.fail("RunInstances", code, times=None, when=is_spot)
    assert "no spot capacity; asking for an on-demand instance" in desk.until_ssh("wake", "archiver")
    launches = [call for call in desk.ec2.calls.made if call.action == "RunInstances"]
    markets = [call.parameters.get("InstanceMarketOptions.MarketType") for call in launches]
    assert [*zip(markets, desk.launches(), strict=True)] == [("spot", code), (None, "ok")]
    assert len(desk.running()) == 1


def test_a_spot_launch_is_a_spot_instance_that_ends_with_its_capacity(desks: Desks) -> None:
    desk = desks(ready=True, market="spot")
    desk.until_ssh("wake", "archiver")
    (life,) = desk.ec2.alive()
    assert life.instance.lifecycle == "spot"
    desk.ec2.interrupt_spot(life.id)
    desk.wait()
    assert desk.running() == []


def test_a_throttled_call_is_repeated(desks: Desks) -> None:
    desk = desks(ready=True)
    instance = desk.launch(TAGS)
    desk.ec2.faults.fail("*", "RequestLimitExceeded")
    done = desk.run("sleep", "--now", "archiver")
    assert done.code == 0 and instance not in desk.running(), done
    assert [call.outcome for call in desk.ec2.calls.made][:2] == ["RequestLimitExceeded", "ok"]


@pytest.mark.long
def test_throttled_for_ever_it_gives_up(desks: Desks) -> None:
    desk = desks(ready=True)
    desk.ec2.faults.fail("*", "RequestLimitExceeded", times=None)
    refused(desk, "RequestLimitExceeded", "too many calls", "in a minute")
    assert desk.launches() == []


def a_blank_account(desks: Desks) -> Desk:
    return desks(image={"nixos": "26.05", "bake": False})


def an_archiver_that_sleeps(desks: Desks) -> Desk:
    return desks(ready=True)


def a_volume_that_is_too_small(desks: Desks) -> Desk:
    desk = desks(volume={"size_gib": 200}, image={"nixos": "26.05", "bake": False})
    desk.make_group()
    desk.make_volume()
    return desk


def an_archiver_that_is_awake(desks: Desks) -> Desk:
    desk = desks(ready=True)
    desk.launch(TAGS)
    return desk


DOWN = "down --yes --destroy-data --confirm archiver --last-snapshot"
DENIALS = [
    (a_blank_account, "up --yes"),
    (an_archiver_that_sleeps, "wake"),
    (a_volume_that_is_too_small, "up --yes"),
    (an_archiver_that_is_awake, DOWN),
    (an_archiver_that_is_awake, "sleep --now"),
]


@pytest.mark.parametrize("make, command", DENIALS)
def test_every_action_that_iam_forbids_is_named(
    desks: Desks, make: Callable[[Desks], Desk], command: str
) -> None:
    """The actions are those that the command makes when nothing is in its way."""
    free = make(desks)
    if command.startswith(("up", "wake")):
        free.until_ssh(*command.split(), "archiver")
    else:
        done = free.run(*command.split(), "archiver")
        assert done.code == 0, done
    actions = list(free.ec2.calls.by_action())
    assert actions
    # Backups are deleted with other rights than those in the policies.
    policy = "iam-policy-host.json" if command in ("wake", "sleep --now") else "iam-policy.json"
    assert set(actions) - {"DeleteVolume", "CreateSnapshot"} <= free.policy(policy)

    def deny(action: str) -> None:
        with desks.apart() as own:
            check(action, make(own))

    def check(action: str, desk: Desk) -> None:
        awake = desk.running()
        desk.ec2.faults.deny(action)
        result = desk.run(*command.split(), "archiver")
        assert f"ec2:{action}" in result.stderr and "UnauthorizedOperation" in result.stderr, result
        assert set(desk.running()) <= set(awake), result
        # What should have ended and was not seen to may still run.
        may_run = awake and "instance" in result.stderr
        assert result.code == (6 if may_run else 1), result
        assert ("terminate-instances" if may_run else "iam-policy.json") in result.stderr, result

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(deny, actions))


LARGE = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 500}}]
FOREIGN = [{"ResourceType": "instance", "Tags": [{"Key": "dormouse:archiver", "Value": "other"}]}]
# Parameters that an attacker with a host's credentials could add to a launch.
OVERRIDES: list[dict[str, Any]] = [
    {"ImageId": IMAGE},
    {"InstanceType": "t3.medium"},
    {"MetadataOptions": {"HttpTokens": "optional", "HttpPutResponseHopLimit": 1}},
    {"MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}},
    {"BlockDeviceMappings": LARGE},
    {"TagSpecifications": FOREIGN},
]


@pytest.mark.parametrize("doubts", [Doubts(True, False), Doubts(False, True)])
def test_no_host_launches_anything_else(desks: Desks, doubts: Doubts) -> None:
    """Whatever AWS does where its documentation leaves it open."""
    desk = desks(ready=True)
    desk.ec2.authority.doubts = doubts
    callers.register(desk.ec2, desk.folder / "generated")
    host = client(desk.ec2.endpoint, callers.HOST)
    (made,) = host.describe_launch_templates()["LaunchTemplates"]
    id = made["LaunchTemplateId"]
    one = {"MinCount": 1, "MaxCount": 1}
    own = {"LaunchTemplate": {"LaunchTemplateId": id}, **one}
    (image,) = desk.api.describe_images(Owners=["self"])["Images"]
    zone = [{"Name": "availability-zone", "Values": [ZONE]}]
    subnet = desk.api.describe_subnets(Filters=zone)["Subnets"][0]["SubnetId"]
    # In the default security group.
    other = [{"DeviceIndex": 0, "SubnetId": subnet}]
    data = {"InstanceType": "t3.small", "ImageId": image["ImageId"]}
    untagged = desk.api.create_launch_template(LaunchTemplateName="other", LaunchTemplateData=data)
    foreign = {"LaunchTemplateId": untagged["LaunchTemplate"]["LaunchTemplateId"]}
    attempts: list[Callable[[], Any]] = [
        *(partial(host.run_instances, **own, **override) for override in OVERRIDES),
        partial(host.run_instances, **own, NetworkInterfaces=other),
        partial(host.run_instances, ImageId=image["ImageId"], InstanceType="t3.small", **one),
        partial(host.run_instances, LaunchTemplate=foreign, **one),
        partial(host.describe_launch_template_versions, LaunchTemplateId=id),
        partial(host.create_launch_template_version, LaunchTemplateId=id, LaunchTemplateData=data),
        partial(host.delete_launch_template, LaunchTemplateId=id),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            attempt()
    assert desk.running() == []
    host.run_instances(**own)
    assert len(desk.running()) == 1


def test_what_cannot_be_ended_is_named_with_the_command_that_ends_it(desks: Desks) -> None:
    desk = desks(ready=True)
    desk.ec2.faults.deny("AttachVolume")
    desk.ec2.faults.deny("TerminateInstances")
    result = refused(desk, "ec2:AttachVolume", "ec2:TerminateInstances", "may still be running", code=6)
    (instance,) = desk.running()
    assert f"aws ec2 terminate-instances --region {REGION} --instance-ids {instance}" in result.stderr
    desk.ec2.faults.clear()
    done = desk.run("sleep", "--now", "archiver")
    assert done.code == 0 and desk.running() == [], done


def test_a_volume_in_a_foreign_instance_is_left_there(desks: Desks) -> None:
    desk = desks(ready=True)
    volume = next(volume.id for volume in desk.ec2.region().volumes.values() if not volume.is_root)
    foreign = desk.launch()
    desk.attach(volume, foreign)
    result = desk.run("wake", "archiver")
    assert result.code == 1, result
    assert f"{volume} of archiver" in result.stderr and foreign in result.stderr, result
    assert f"aws ec2 detach-volume --volume-id {volume}" in result.stderr, result
    assert desk.launches() == [] and desk.running() == [foreign]


def test_a_volume_that_was_taken_meanwhile_is_left_there(desks: Desks) -> None:
    """Between the look at the volume and its attachment somebody else was quicker."""
    desk = desks(ready=True)
    desk.ec2.faults.fail("AttachVolume", "VolumeInUse", times=1)
    desk.until_ssh("wake", "archiver")
    assert desk.ec2.calls.count("AttachVolume") == 2


def test_an_instance_that_is_ending_is_waited_for(desks: Desks) -> None:
    desk = desks(ready=True)
    volume = next(volume.id for volume in desk.ec2.region().volumes.values() if not volume.is_root)
    ending = desk.launch(TAGS)
    desk.attach(volume, ending)
    desk.ec2.timing.shutting_down = 5
    desk.api.terminate_instances(InstanceIds=[ending])
    said = desk.until_ssh("wake", "archiver")
    assert f"waiting for {ending} to let go of {volume}" in said
    (instance,) = desk.running()
    held = desk.api.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]
    assert [attachment["InstanceId"] for attachment in held] == [instance]


def test_a_volume_that_would_go_with_its_instance_is_not_used(desks: Desks) -> None:
    desk = desks(ready=True)
    volume = next(volume.id for volume in desk.ec2.region().volumes.values() if not volume.is_root)
    instance = desk.launch(TAGS)
    desk.attach(volume, instance)
    desk.ec2.alive()[0].instance.block_device_mapping["/dev/sdf"].delete_on_termination = True
    desk.wait()
    result = desk.run("wake", "archiver")
    assert result.code == 1 and "deletes it when the instance ends" in result.stderr, result
    assert "DeleteOnTermination" in result.stderr and desk.launches() == []


@pytest.mark.parametrize("command", ["wake", "up --yes"])
def test_a_volume_in_another_zone_is_named_with_its_zone(desks: Desks, command: str) -> None:
    desk = desks()
    desk.make_group()
    desk.make_volume(zone=ELSEWHERE)
    desk.make_image()
    refused(desk, f"lies in {ELSEWHERE}", f'`availability_zone` to "{ELSEWHERE}"', command=command)
    assert desk.launches() == []


@pytest.mark.parametrize("bakes", [True, False])
def test_an_image_that_does_not_exist_is_named(desks: Desks, bakes: bool) -> None:
    image = "ami-0123456789abcdef0"
    desk = desks(image={"id": image, "bake": bakes})
    desk.make_group()
    desk.make_volume()
    refused(desk, f"no image {image} in {REGION}", "`image` in the spec", command="up --yes")
    assert desk.launches() == []


def test_a_release_without_images_is_named(desks: Desks) -> None:
    desk = desks(image={"nixos": "27.05", "bake": False})
    desk.make_group()
    desk.make_volume()
    refused(desk, "nixos/27.05*, x86_64", "`image` in the spec", command="up --yes")
    assert desk.launches() == []


def test_without_a_public_address_the_subnet_is_to_be_changed(desks: Desks) -> None:
    desk = desks()
    group = desk.make_group()
    desk.make_volume()
    (vpc,) = desk.api.describe_vpcs()["Vpcs"]
    ask = {"VpcId": vpc["VpcId"], "AvailabilityZone": ZONE, "CidrBlock": "172.31.240.0/20"}
    subnet = desk.api.create_subnet(**ask)["Subnet"]["SubnetId"]
    desk.make_template(desk.make_image(), group, subnet)
    refused(desk, "has no public address", "modify-subnet-attribute --map-public-ip-on-launch")
    assert desk.launches() == ["ok"]


def test_without_a_volume_it_is_to_be_set_up(desks: Desks) -> None:
    refused(desks(), "has no volume", "`dormouse up archiver`")


def test_without_a_launch_template_it_is_to_be_set_up(desks: Desks) -> None:
    desk = desks()
    desk.make_group()
    desk.make_volume()
    desk.make_image()
    refused(desk, "has no launch template", "`dormouse up archiver`")
    assert desk.launches() == []


def test_a_zone_without_a_default_subnet_is_named(desks: Desks) -> None:
    desk = desks(image={"nixos": "26.05", "bake": False})
    subnets = desk.api.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [ZONE]}])["Subnets"]
    for subnet in subnets:
        desk.ec2.region().backend.delete_subnet(subnet["SubnetId"])
    refused(desk, f"zone {ZONE} of archiver", "`subnet_id` in the spec", command="up --yes")
    assert desk.launches() == []


def test_a_policy_that_is_too_old_for_a_set_up_changes_nothing(desks: Desks) -> None:
    desk = desks()
    desk.ec2.faults.deny("CreateLaunchTemplate")
    refused(desk, "ec2:CreateLaunchTemplate", "iam put-user-policy", command="up --yes")
    assert {call.action for call in desk.ec2.calls.made if not call.action.startswith("Describe")} <= {
        "CreateSecurityGroup",
        "CreateVolume",
        "CreateLaunchTemplate",
    }
    assert all(call.parameters.get("DryRun") == "true" for call in desk.ec2.calls.made if "Create" in call.action)


def test_an_archiver_of_another_configuration_is_woken_and_that_is_said(desks: Desks) -> None:
    desk = desks(ready=True)
    desk.files.respecify(**desk.settings, linger="77s")
    assert "a different configuration from the files here" in desk.until_ssh("wake", "archiver")
    assert desk.launches() == ["ok"]


@pytest.mark.parametrize("code", ["VcpuLimitExceeded", "InstanceLimitExceeded"])
def test_a_quota_is_named_with_the_call_that_exceeds_it(desks: Desks, code: str) -> None:
    desk = desks(ready=True)
    desk.ec2.faults.fail("RunInstances", code, times=None)
    refused(desk, code, "ask for a higher quota", "RunInstances")
    assert desk.launches() == [code]


def test_a_quota_of_volumes_stops_the_set_up(desks: Desks) -> None:
    desk = desks()
    desk.ec2.faults.fail("CreateVolume", "VolumeLimitExceeded", times=None)
    refused(desk, "VolumeLimitExceeded", "ask for a higher quota", "CreateVolume", command="up --yes")
    assert desk.launches() == [] and desk.ec2.region().volumes == {}


@pytest.mark.parametrize("command", ["wake", "up --yes", "sleep", "down --yes"])
def test_without_credentials_they_are_asked_for(desks: Desks, command: str) -> None:
    desk = desks(ready=True)
    result = desk.run(*command.split(), "archiver", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert result.code == 1, result
    assert "credentials" in result.stderr and "aws sts get-caller-identity" in result.stderr, result
    assert len(desk.ec2.calls) == 0


@pytest.mark.parametrize("code", ["AuthFailure", "ExpiredToken", "InvalidClientTokenId", "RequestExpired"])
def test_wrong_credentials_are_to_be_looked_at(desks: Desks, code: str) -> None:
    desk = desks(ready=True)
    desk.ec2.faults.fail("*", code, times=None)
    refused(desk, code, "aws sts get-caller-identity")
    assert desk.launches() == []


def test_a_launch_that_nobody_answers_is_looked_for(desks: Desks) -> None:
    """The instance exists, though every answer to its launch is lost."""
    desk = desks(ready=True)
    desk.ec2.faults.lose_reply("RunInstances", times=None)
    desk.until_ssh("wake", "archiver")
    assert len(desk.running()) == 1 and len(desk.ec2.instances()) == 2


@pytest.mark.long
def test_a_launch_that_never_arrives_may_have_been_one(desks: Desks) -> None:
    desk = desks(ready=True)
    desk.ec2.faults.lose_request("RunInstances", times=None)
    refused(desk, "did not say whether it launched", "`dormouse sleep archiver`", code=6)
    desk.ec2.faults.clear()
    done = desk.run("sleep", "archiver")
    assert done.code == 0 and desk.running() == [], done
    desk.until_ssh("wake", "archiver")
    assert len(desk.running()) == 1
