"""Each call asks for all that AWS asks for, and a policy that allows less refuses it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from checks.lab.ec2 import action
from checks.lab.ec2.fixtures import ARM_IMAGE, IMAGE, NIXOS, REGION, ZONE, Account, client, refused
from checks.lab.ec2.iam import calls, reference
from checks.lab.ec2.iam.asked import Asked
from checks.lab.ec2.iam.authority import EVERYTHING
from checks.lab.ec2.iam.launches import Doubts
from checks.lab.ec2.iam.policy import Policy
from checks.lab.ec2.iam.replay import idle, replay, strange, unnecessary

HOST = "AKIAHOST"
OWN = {"dormouse:spec": "lab", "dormouse:archiver": "a"}
TAGS = [{"Key": key, "Value": value} for key, value in OWN.items()]
OTHER = [{"Key": "dormouse:spec", "Value": "lab"}, {"Key": "dormouse:archiver", "Value": "b"}]
ONE = {"MinCount": 1, "MaxCount": 1}
Statement = dict[str, Any]


def tagged(kind: str, tags: list[dict[str, str]] = TAGS) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": tags}]


def arns(*kinds: str) -> list[str]:
    return [f"arn:aws:ec2:{REGION}:{'' if k in ('image', 'snapshot') else '*'}:{k}/*" for k in kinds]


def allow(sid: str, actions: str | list[str], resources: list[str] | str, **conditions: Any) -> Statement:
    found: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**found, "Condition": conditions} if conditions else found


def having(prefix: str) -> dict[str, str]:
    return {f"aws:{prefix}/{key}": value for key, value in OWN.items()}


# What a host needs: to launch from its archiver's template, and to end and use what is the archiver's.
LOOK = allow("Look", "ec2:Describe*", "*", StringEquals={"aws:RequestedRegion": REGION})
TEMPLATE = allow("Template", "ec2:RunInstances", arns("launch-template"), StringEquals=having("ResourceTag"))
FROM_TEMPLATE = {"Bool": {"ec2:IsLaunchTemplateResource": "true"}}
MADE = allow(
    "Made",
    "ec2:RunInstances",
    arns("instance"),
    StringEquals=having("RequestTag"),
    ArnLike={"ec2:LaunchTemplate": arns("launch-template")},
    **FROM_TEMPLATE,
)
WITH = allow(
    "With",
    "ec2:RunInstances",
    arns("image", "network-interface", "security-group", "subnet", "volume"),
    **FROM_TEMPLATE,
)
TAG = allow(
    "Tag",
    "ec2:CreateTags",
    arns("instance", "volume"),
    StringEquals={"ec2:CreateAction": "RunInstances"},
    **{"ForAllValues:StringLike": {"aws:TagKeys": ["Name", "dormouse:*"]}},
)
USE = allow(
    "Use",
    ["ec2:AttachVolume", "ec2:TerminateInstances"],
    arns("instance", "volume"),
    StringEquals=having("ResourceTag"),
)
STATEMENTS = [LOOK, TEMPLATE, MADE, WITH, TAG, USE]


def written(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def as_host(account: Account, *statements: Statement) -> Any:
    """A client with these permissions and no others."""
    account.ec2.authority.forget(HOST)
    account.ec2.allow(HOST, written(*statements))
    return client(account.ec2.endpoint, HOST)


def template(account: Account, tags: list[dict[str, str]] = TAGS, **more: Any) -> dict[str, str]:
    """A launch template that the administrator has made."""
    filters = [{"Name": "availability-zone", "Values": [ZONE]}]
    subnet = account.api.describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"]
    data = {
        "ImageId": IMAGE,
        "InstanceType": "t3.small",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9, "VolumeType": "gp3"}}],
        "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet}],
        "TagSpecifications": tagged("instance") + tagged("volume"),
        **more,
    }
    name = f"dormouse-{len(account.api.describe_launch_templates()['LaunchTemplates'])}"
    made = account.api.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData=data, TagSpecifications=tagged("launch-template", tags)
    )
    return {"LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"]}


def asked(account: Account, call: Callable[[Any], object]) -> list[Asked]:
    """What a call asks for."""
    account.ec2.authority.forget(HOST)
    account.ec2.allow(HOST, EVERYTHING)
    before = len(account.ec2.authority.asked)
    call(client(account.ec2.endpoint, HOST))
    return account.ec2.authority.asked[before:]


def kinds(requests: list[Asked]) -> list[tuple[str, str]]:
    return sorted((each.action, each.resource.rpartition(":")[2].partition("/")[0]) for each in requests)


def one(requests: list[Asked], name: str, kind: str) -> dict[str, list[str]]:
    (found,) = (each for each in requests if each.action == name and f":{kind}/" in each.resource)
    return dict(found.context)


def test_a_key_without_a_policy_may_do_everything_and_is_not_on_record(account: Account) -> None:
    as_host(account, LOOK)
    account.running()
    assert account.ec2.authority.asked == []


def test_the_lab_knows_what_each_of_its_actions_asks_for() -> None:
    action.load()
    listings = {name for name in action.TABLE if not reference.names_resources(name)}
    assert {*calls.TABLE, "RunInstances", *listings} == {*action.TABLE}
    assert all(name.startswith("Describe") for name in listings)


def test_a_refusal_says_who_may_not_do_what_to_what(account: Account) -> None:
    instance = account.running()
    host = as_host(account, LOOK)
    words = r"User: arn:aws:iam::\d+:user/AKIAHOST is not authorized to perform: ec2:TerminateInstances on"
    with refused(
        "UnauthorizedOperation", f"{words} resource: arn:aws:ec2:{REGION}:\\d+:instance/{instance} because no"
    ):
        host.terminate_instances(InstanceIds=[instance])
    assert account.state(instance) == "running"
    assert account.ec2.calls.made[-2].outcome == "UnauthorizedOperation"


def test_a_listing_is_about_no_resource(account: Account) -> None:
    here = as_host(account, LOOK)
    here.describe_instances()
    elsewhere = LOOK | {"Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}
    with refused("UnauthorizedOperation", "perform: ec2:DescribeInstances because no identity-based policy"):
        as_host(account, elsewhere).describe_instances()
    with refused("UnauthorizedOperation"):
        as_host(account, LOOK | {"Resource": arns("instance")}).describe_instances()


def test_a_dry_run_is_refused_before_anything_else_is_said(account: Account) -> None:
    chosen = template(account)
    with refused("DryRunOperation"):
        as_host(account, *STATEMENTS).run_instances(LaunchTemplate=chosen, DryRun=True, **ONE)
    with refused("UnauthorizedOperation"):
        as_host(account, LOOK).run_instances(LaunchTemplate=chosen, DryRun=True, **ONE)
    with refused("UnauthorizedOperation"):
        as_host(account, LOOK).terminate_instances(InstanceIds=["i-0123456789abcdef0"])


def test_a_host_with_its_policy_launches_uses_and_ends(account: Account) -> None:
    chosen, volume = template(account), account.volume(TagSpecifications=tagged("volume"))
    host = as_host(account, *STATEMENTS)
    instance = host.run_instances(LaunchTemplate=chosen, **ONE)["Instances"][0]["InstanceId"]
    account.clock.advance(60)
    host.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    host.describe_instances()
    host.terminate_instances(InstanceIds=[instance])
    policy = Policy.parse(written(*STATEMENTS))
    assert replay(account.ec2.authority.asked, policy) == []
    assert unnecessary(account.ec2.authority.asked, policy) == []
    assert idle(account.ec2.authority.asked, policy) == []
    assert strange(policy) == []


@pytest.mark.parametrize("missing", [TEMPLATE, MADE, WITH, TAG], ids=lambda each: str(each["Sid"]))
def test_a_launch_needs_each_of_its_statements(account: Account, missing: Statement) -> None:
    host = as_host(account, *(each for each in STATEMENTS if each is not missing))
    with refused("UnauthorizedOperation"):
        host.run_instances(LaunchTemplate=template(account), **ONE)
    assert account.ec2.instances() == []


@pytest.mark.parametrize("kind", WITH["Resource"])
def test_a_launch_needs_each_of_its_resources(account: Account, kind: str) -> None:
    less = WITH | {"Resource": [each for each in WITH["Resource"] if each != kind]}
    with refused("UnauthorizedOperation", kind.rpartition(":")[2].rstrip("*")):
        as_host(account, LOOK, TEMPLATE, MADE, less, TAG).run_instances(
            LaunchTemplate=template(account), **ONE
        )


def test_a_template_of_others_is_refused(account: Account) -> None:
    host = as_host(account, *STATEMENTS)
    with refused("UnauthorizedOperation", "launch-template/lt-"):
        host.run_instances(LaunchTemplate=template(account, OTHER), **ONE)
    with refused("UnauthorizedOperation", "launch-template/lt-"):
        host.run_instances(LaunchTemplate=template(account, [TAGS[0]]), **ONE)


def test_a_launch_without_a_template_is_refused(account: Account) -> None:
    with refused("UnauthorizedOperation"):
        as_host(account, *STATEMENTS).run_instances(
            ImageId=IMAGE, InstanceType="t3.small", TagSpecifications=tagged("instance"), **ONE
        )


@pytest.mark.parametrize(
    ("override", "resource"),
    [
        ({"ImageId": ARM_IMAGE}, "image/"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 99}}]}, "volume/"),
        ({"NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}]}, "network-interface/"),
        ({"InstanceType": "t3.large"}, "instance/"),
        ({"UserData": "mine"}, "instance/"),
        ({"TagSpecifications": tagged("instance", OTHER)}, "instance/"),
        ({"KeyName": "mine"}, "key-pair/mine"),
    ],
)
def test_what_overrides_the_template_is_refused(
    account: Account, override: dict[str, Any], resource: str
) -> None:
    host, chosen = as_host(account, *STATEMENTS), template(account, UserData="eA==")
    with refused("UnauthorizedOperation", resource):
        host.run_instances(LaunchTemplate=chosen, **override, **ONE)
    # The control: it is the override that is refused.
    host.run_instances(LaunchTemplate=chosen, **ONE)


def test_aws_may_not_tell_overrides_of_the_instance_itself(account: Account) -> None:
    """Its documentation leaves it open, so a claim about them should hold both ways."""
    host, chosen = as_host(account, *STATEMENTS), template(account)
    account.ec2.authority.doubts = Doubts(instance_shows_overrides=False)
    host.run_instances(LaunchTemplate=chosen, InstanceType="t3.large", **ONE)
    with refused("UnauthorizedOperation", "image/"):
        host.run_instances(LaunchTemplate=chosen, ImageId=ARM_IMAGE, **ONE)


def test_spot_is_an_addition_and_no_override(account: Account) -> None:
    host, chosen = as_host(account, *STATEMENTS), template(account)
    host.run_instances(LaunchTemplate=chosen, InstanceMarketOptions={"MarketType": "spot"}, **ONE)
    requests = account.ec2.authority.asked_by(HOST)
    assert one(requests, "RunInstances", "instance")["ec2:InstanceMarketType"] == ["spot"]
    assert "spot-instances-request" not in [kind for _, kind in kinds(requests)]
    specifications = tagged("instance") + tagged("spot-instances-request")
    chosen = template(account, TagSpecifications=specifications)
    with refused("UnauthorizedOperation", r"RunInstances on resource: .*spot-instances-request/\*"):
        host.run_instances(LaunchTemplate=chosen, InstanceMarketOptions={"MarketType": "spot"}, **ONE)


def test_a_launch_from_a_template_asks_for_all_that_it_is_made_of(account: Account) -> None:
    chosen = template(account)
    requests = asked(account, lambda host: host.run_instances(LaunchTemplate=chosen, **ONE))
    made_of = [
        "image",
        "instance",
        "launch-template",
        "network-interface",
        "security-group",
        "subnet",
        "volume",
    ]
    assert kinds(requests) == [
        *(("CreateTags", kind) for kind in ("instance", "volume")),
        *(("RunInstances", kind) for kind in made_of),
    ]
    instance = one(requests, "RunInstances", "instance")
    assert instance["ec2:MetadataHttpTokens"] == ["required"]
    assert instance["ec2:MetadataHttpPutResponseHopLimit"] == ["1"]
    assert instance["ec2:InstanceType"] == ["t3.small"]
    assert instance["aws:RequestTag/dormouse:archiver"] == ["a"]
    assert sorted(instance["aws:TagKeys"]) == sorted(OWN)
    volume = one(requests, "RunInstances", "volume")
    assert [volume[f"ec2:{key}"] for key in ("VolumeType", "VolumeSize", "Encrypted")] == [
        ["gp3"],
        ["9"],
        ["false"],
    ]
    assert one(requests, "RunInstances", "image")["ec2:Owner"] == [NIXOS]
    launch = [each.context for each in requests if each.action == "RunInstances"]
    assert all(context["ec2:IsLaunchTemplateResource"] == ["true"] for context in launch)
    assert all(context["ec2:LaunchTemplate"][0].endswith(chosen["LaunchTemplateId"]) for context in launch)
    tags = one(requests, "CreateTags", "instance")
    assert tags["ec2:CreateAction"] == ["RunInstances"]
    assert "ec2:IsLaunchTemplateResource" not in tags


def test_keys_that_aws_does_not_document_are_not_there(account: Account) -> None:
    chosen = template(account)
    requests = asked(account, lambda host: host.run_instances(LaunchTemplate=chosen, **ONE))
    for each in requests:
        kind = each.resource.rpartition(":")[2].partition("/")[0]
        assert all(
            reference.is_documented(each.action, kind, key) or key == "ec2:Region" for key in each.context
        )
    volume = account.volume()
    made = asked(account, lambda host: host.create_snapshot(VolumeId=volume))
    of_volume = one(made, "CreateSnapshot", "volume")
    assert of_volume["ec2:VolumeID"] == [volume]
    # The reference has it for AttachVolume, and not for CreateSnapshot.
    assert "ec2:AvailabilityZone" not in of_volume
    pair = asked(account, lambda host: host.create_key_pair(KeyName="mine"))
    assert "ec2:KeyPairName" not in one(pair, "CreateKeyPair", "key-pair")
    wrong = MADE | {"Condition": {"StringEquals": having("ResourceTag")}}
    with refused("UnauthorizedOperation", "instance/"):
        as_host(account, LOOK, TEMPLATE, wrong, WITH, TAG).run_instances(LaunchTemplate=chosen, **ONE)


def test_a_launch_without_a_template_asks_for_defaults(account: Account) -> None:
    public = asked(account, lambda host: host.run_instances(ImageId=IMAGE, InstanceType="t3.small", **ONE))
    made_of = ["image", "instance", "network-interface", "security-group", "subnet", "volume"]
    assert kinds(public) == [("RunInstances", kind) for kind in made_of]
    assert all("ec2:LaunchTemplate" not in each.context for each in public)


def test_aws_may_ask_for_the_snapshots_of_an_own_image(account: Account) -> None:
    instance = account.running()
    own = account.api.create_image(InstanceId=instance, Name="own", TagSpecifications=tagged("snapshot"))[
        "ImageId"
    ]
    account.clock.advance(600)
    account.api.describe_images()
    ask = {"ImageId": own, "InstanceType": "t3.small", **ONE}
    plain = asked(account, lambda host: host.run_instances(**ask))
    assert "snapshot" not in [kind for _, kind in kinds(plain)]
    account.ec2.authority.doubts = Doubts(asks_for_snapshots_of_images=True)
    launched = asked(account, lambda host: host.run_instances(**ask))
    assert one(launched, "RunInstances", "snapshot")["aws:ResourceTag/dormouse:archiver"] == ["a"]


def test_what_is_tagged_when_it_is_made_asks_for_that_too(account: Account) -> None:
    def made(host: Any) -> None:
        host.create_volume(
            AvailabilityZone=ZONE, Size=125, VolumeType="sc1", TagSpecifications=tagged("volume")
        )
        group = {"GroupName": "g", "Description": "g", "TagSpecifications": tagged("security-group")}
        host.create_security_group(**group)

    requests = asked(account, made)
    assert kinds(requests) == [
        ("CreateSecurityGroup", "security-group"),
        ("CreateSecurityGroup", "vpc"),
        ("CreateTags", "security-group"),
        ("CreateTags", "volume"),
        ("CreateVolume", "volume"),
    ]
    assert one(requests, "CreateVolume", "volume")["ec2:VolumeSize"] == ["125"]
    assert one(requests, "CreateTags", "volume")["ec2:CreateAction"] == ["CreateVolume"]


def test_an_image_asks_for_its_source_and_its_snapshots(account: Account) -> None:
    instance = account.running(TagSpecifications=tagged("instance"))
    specifications = tagged("image") + tagged("snapshot")
    ask = {"InstanceId": instance, "Name": "image", "TagSpecifications": specifications}
    requests = asked(account, lambda host: host.create_image(**ask))
    assert kinds(requests) == [
        ("CreateImage", "image"),
        ("CreateImage", "instance"),
        ("CreateImage", "snapshot"),
        ("CreateTags", "image"),
        ("CreateTags", "snapshot"),
    ]
    assert one(requests, "CreateImage", "instance")["ec2:ResourceTag/dormouse:archiver"] == ["a"]
    assert all("::" in each.resource for each in requests if "image/" in each.resource)


def test_a_volume_is_attached_only_to_what_is_the_archivers_own(account: Account) -> None:
    mine = account.volume(TagSpecifications=tagged("volume"))
    others = account.volume(TagSpecifications=tagged("volume", OTHER))
    instance = account.running(TagSpecifications=tagged("instance"))
    foreign = account.running(TagSpecifications=tagged("instance", OTHER))
    host = as_host(account, *STATEMENTS)
    for volume, target, resource in [(others, instance, "volume/"), (mine, foreign, "instance/")]:
        with refused("UnauthorizedOperation", resource):
            host.attach_volume(VolumeId=volume, InstanceId=target, Device="/dev/sdf")
    host.attach_volume(VolumeId=mine, InstanceId=instance, Device="/dev/sdf")
    with refused("UnauthorizedOperation", "instance/"):
        host.terminate_instances(InstanceIds=[instance, foreign])
    assert account.state(instance) == "running"


def test_tags_of_what_exists_are_not_those_of_its_making(account: Account) -> None:
    instance = account.running(TagSpecifications=tagged("instance"))
    with refused("UnauthorizedOperation", "CreateTags"):
        as_host(account, *STATEMENTS).create_tags(Resources=[instance], Tags=TAGS)


def test_templates_are_changed_by_whoever_owns_them(account: Account) -> None:
    actions = ["CreateLaunchTemplateVersion", "DeleteLaunchTemplate", "DeleteLaunchTemplateVersions"]
    names = [f"ec2:{name}" for name in (*actions, "ModifyLaunchTemplate")]
    change = allow("Change", names, arns("launch-template"), StringEquals=having("ResourceTag"))
    create = allow(
        "Create", "ec2:CreateLaunchTemplate", arns("launch-template"), StringEquals=having("RequestTag")
    )
    tag = allow("Tag", "ec2:CreateTags", arns("launch-template"))
    mine, others = template(account), template(account, OTHER)
    admin = as_host(account, change, create, tag)
    ask: dict[str, Any] = {"LaunchTemplateData": {"InstanceType": "t3.medium"}}
    admin.create_launch_template_version(**mine, **ask)
    admin.modify_launch_template(**mine, DefaultVersion="2")
    admin.delete_launch_template_versions(**mine, Versions=["1"])
    for call in (
        admin.delete_launch_template,
        lambda **named: admin.modify_launch_template(**named, DefaultVersion="1"),
    ):
        with refused("UnauthorizedOperation", others["LaunchTemplateId"]):
            call(**others)
    named = {"LaunchTemplateName": "one", **ask}
    admin.create_launch_template(**named, TagSpecifications=tagged("launch-template"))
    with refused("UnauthorizedOperation", r"launch-template/\*"):
        admin.create_launch_template(**{**named, "LaunchTemplateName": "two"})
    admin.delete_launch_template(**mine)


def test_an_observer_is_not_asked_about(account: Account) -> None:
    account.ec2.allow("AKIALAB", written(LOOK))
    with refused("UnauthorizedOperation"):
        account.running()
    client(account.ec2.observer_endpoint).run_instances(ImageId=IMAGE, InstanceType="t3.small", **ONE)
