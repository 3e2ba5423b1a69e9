"""Launch templates are kept as EC2 keeps them, and a launch takes what its version says."""

import base64
from typing import Any

import pytest

from checks.lab.ec2.fixtures import IMAGE, ZONE, Account, refused

MARK = [{"Key": "dormouse:archiver", "Value": "a"}]
TAGS = [{"ResourceType": "launch-template", "Tags": MARK}]
OF_INSTANCE = [{"ResourceType": "instance", "Tags": MARK}]
UNKNOWN = "lt-0123456789abcdef0"
ONE = {"MinCount": 1, "MaxCount": 1}


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def subnet(account: Account) -> dict[str, Any]:
    filters = [
        {"Name": "availability-zone", "Values": [ZONE]},
        {"Name": "default-for-az", "Values": ["true"]},
    ]
    (found,) = account.api.describe_subnets(Filters=filters)["Subnets"]
    return dict(found)


def data(account: Account, **more: Any) -> dict[str, Any]:
    """What an archiver's launch says."""
    interface: dict[str, Any] = {"DeviceIndex": 0, "SubnetId": subnet(account)["SubnetId"]}
    interface["Groups"] = [account.api.describe_security_groups()["SecurityGroups"][0]["GroupId"]]
    root = {"VolumeSize": 9, "VolumeType": "gp3", "DeleteOnTermination": True}
    return {
        "ImageId": IMAGE,
        "InstanceType": "t3.small",
        "UserData": encoded(b"one\ntwo"),
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": 1,
        },
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": root}],
        "NetworkInterfaces": [interface],
        "Placement": {"AvailabilityZone": ZONE},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "TagSpecifications": OF_INSTANCE,
        **more,
    }


def create(account: Account, name: str = "dormouse", **more: Any) -> str:
    parameters = {"LaunchTemplateData": {"InstanceType": "t3.small"}, **more}
    made = account.api.create_launch_template(LaunchTemplateName=name, **parameters)["LaunchTemplate"]
    return str(made["LaunchTemplateId"])


def version(account: Account, template: str, **parameters: Any) -> int:
    made = account.api.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData=parameters
    )
    return int(made["LaunchTemplateVersion"]["VersionNumber"])


def launch(account: Account, template: str, asked: str = "$Default", **more: Any) -> dict[str, Any]:
    chosen = {"LaunchTemplateId": template, "Version": asked}
    instance = account.api.run_instances(LaunchTemplate=chosen, **ONE, **more)["Instances"][0]["InstanceId"]
    account.clock.advance(60)
    return account.instance(instance)


def types(account: Account, template: str, **asked: Any) -> dict[int, str]:
    """The instance type of each version that is told."""
    found = account.api.describe_launch_template_versions(LaunchTemplateId=template, **asked)
    told = found["LaunchTemplateVersions"]
    return {each["VersionNumber"]: each["LaunchTemplateData"]["InstanceType"] for each in told}


def test_a_template_is_told_as_it_was_given(account: Account) -> None:
    given = data(account)
    template = create(account, LaunchTemplateData=given, VersionDescription="first", TagSpecifications=TAGS)
    (told,) = account.api.describe_launch_templates()["LaunchTemplates"]
    assert (told["LaunchTemplateId"], told["LaunchTemplateName"], told["Tags"]) == (
        template,
        "dormouse",
        MARK,
    )
    assert (told["DefaultVersionNumber"], told["LatestVersionNumber"]) == (1, 1)
    (first,) = account.api.describe_launch_template_versions(LaunchTemplateId=template)[
        "LaunchTemplateVersions"
    ]
    assert first["LaunchTemplateData"] == given
    assert (first["VersionDescription"], first["DefaultVersion"]) == ("first", True)


def test_a_template_is_found_by_its_tags_and_by_its_name(account: Account) -> None:
    one = create(account, TagSpecifications=TAGS)
    create(account, "other")

    def found(name: str, value: str) -> list[str]:
        filters = [{"Name": name, "Values": [value]}]
        told = account.api.describe_launch_templates(Filters=filters)["LaunchTemplates"]
        return [each["LaunchTemplateId"] for each in told]

    assert found("tag:dormouse:archiver", "a") == found("tag-key", "dormouse:*") == [one]
    assert found("launch-template-name", "dormouse") == [one]
    assert found("tag:dormouse:archiver", "b") == []
    with refused("InvalidParameterValue", "vpc-id"):
        found("vpc-id", "x")


def test_a_template_that_does_not_exist_is_refused(account: Account) -> None:
    for call in (account.api.describe_launch_template_versions, account.api.delete_launch_template):
        with refused("InvalidLaunchTemplateId.NotFound"):
            call(LaunchTemplateId=UNKNOWN)
        with refused("InvalidLaunchTemplateId.Malformed"):
            call(LaunchTemplateId="lt-1")
        with refused("InvalidLaunchTemplateName.NotFoundException"):
            call(LaunchTemplateName="dormouse")
    with refused("InvalidLaunchTemplateId.NotFound"):
        account.api.describe_launch_templates(LaunchTemplateIds=[UNKNOWN])
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        account.api.describe_launch_templates(LaunchTemplateNames=["dormouse"])
    with refused("InvalidLaunchTemplateId.NotFound"):
        account.api.create_tags(Resources=[UNKNOWN], Tags=MARK)


def test_a_template_is_named_by_its_id_or_its_name_not_by_both(account: Account) -> None:
    template = create(account)
    with refused("InvalidParameterCombination"):
        account.api.delete_launch_template(LaunchTemplateId=template, LaunchTemplateName="dormouse")
    with refused("MissingParameter"):
        account.api.modify_launch_template(DefaultVersion="1")
    account.api.delete_launch_template(LaunchTemplateName="dormouse")
    assert account.api.describe_launch_templates()["LaunchTemplates"] == []


def test_a_name_is_used_once_and_has_rules(account: Account) -> None:
    create(account)
    with refused("InvalidLaunchTemplateName.AlreadyExistsException"):
        create(account)
    for name in ("with space", "umlaut-ä", "a:b", "x" * 129):
        with refused("InvalidLaunchTemplateName.MalformedException"):
            create(account, name)


def test_one_token_makes_one_template_and_one_version(account: Account) -> None:
    one = create(account, ClientToken="up-1" * 32)
    assert create(account, ClientToken="up-1" * 32) == one
    with refused("IdempotentParameterMismatch"):
        create(account, "other", ClientToken="up-1" * 32)
    with refused("InvalidParameterValue", "128"):
        create(account, "other", ClientToken="x" * 129)
    ask = {
        "LaunchTemplateId": one,
        "LaunchTemplateData": {"InstanceType": "t3.medium"},
        "ClientToken": "up-2",
    }
    again = [account.api.create_launch_template_version(**ask) for _ in range(2)]
    assert [each["LaunchTemplateVersion"]["VersionNumber"] for each in again] == [2, 2]


def test_dry_runs_change_nothing(account: Account) -> None:
    with refused("DryRunOperation"):
        create(account, DryRun=True)
    template = create(account)
    named = {"LaunchTemplateId": template, "DryRun": True}
    version(account, template, InstanceType="t3.medium")
    with refused("DryRunOperation"):
        account.api.create_launch_template_version(LaunchTemplateData={"InstanceType": "t3.large"}, **named)
    with refused("DryRunOperation"):
        account.api.modify_launch_template(DefaultVersion="2", **named)
    with refused("DryRunOperation"):
        account.api.delete_launch_template_versions(Versions=["2"], **named)
    with refused("DryRunOperation"):
        account.api.delete_launch_template(**named)
    with refused("DryRunOperation"):
        account.api.describe_launch_templates(DryRun=True)
    with refused("DryRunOperation"):
        account.api.describe_launch_template_versions(**named)
    (told,) = account.api.describe_launch_templates()["LaunchTemplates"]
    assert (told["DefaultVersionNumber"], told["LatestVersionNumber"]) == (1, 2)


def test_user_data_has_a_limit_of_16384_raw_bytes(account: Account) -> None:
    create(account, LaunchTemplateData={"UserData": encoded(b"x" * 16384)})
    with refused("InvalidUserData.Malformed", "16384"):
        create(account, "other", LaunchTemplateData={"UserData": encoded(b"x" * 16385)})
    with refused("InvalidUserData.Malformed", "BASE64"):
        create(account, "other", LaunchTemplateData={"UserData": "not base64"})


def test_user_data_is_not_on_record(account: Account) -> None:
    create(account, LaunchTemplateData={"UserData": encoded(b"secret")})
    assert encoded(b"secret") not in str(account.ec2.calls.made)
    assert account.ec2.calls.made[-1].parameters["LaunchTemplateData.UserData"].startswith("sha256:")


def test_what_the_lab_cannot_launch_is_refused_when_it_is_written(account: Account) -> None:
    with refused("UnknownParameter", "IamInstanceProfile"):
        create(account, LaunchTemplateData={"IamInstanceProfile": {"Name": "role"}})
    with refused("MissingParameter", "launchTemplateData"):
        create(account, LaunchTemplateData={})


def test_tags_have_rules(account: Account) -> None:
    with refused("InvalidParameterValue", "taggable"):
        create(account, TagSpecifications=OF_INSTANCE)
    with refused("InvalidParameterValue", "aws:"):
        tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "aws:x", "Value": "y"}]}]
        create(account, TagSpecifications=tags)
    with refused("InvalidParameterValue", "taggable"):
        create(account, LaunchTemplateData={"TagSpecifications": [{"ResourceType": "image", "Tags": MARK}]})


def test_versions_are_numbered_and_one_of_them_is_the_default(account: Account) -> None:
    template = create(account)
    assert version(account, template, InstanceType="t3.medium") == 2
    assert types(account, template) == {2: "t3.medium", 1: "t3.small"}
    assert list(types(account, template)) == [2, 1]
    assert types(account, template, Versions=["$Default"]) == {1: "t3.small"}
    assert types(account, template, Versions=["$Latest"]) == {2: "t3.medium"}
    told = account.api.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")["LaunchTemplate"]
    assert told["DefaultVersionNumber"] == 2
    assert types(account, template, Versions=["$Default"]) == {2: "t3.medium"}
    for asked in (["3"], ["1", "7"]):
        with refused("InvalidLaunchTemplateId.VersionNotFound"):
            types(account, template, Versions=asked)
    with refused("InvalidLaunchTemplateId.VersionNotFound"):
        account.api.modify_launch_template(LaunchTemplateId=template, DefaultVersion="3")
    with refused("InvalidParameterValue", "numeric version"):
        types(account, template, Versions=["newest"])


def test_a_version_inherits_only_from_the_source_that_it_names(account: Account) -> None:
    template = create(account, LaunchTemplateData=data(account))
    account.api.create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.medium"}
    )
    version(account, template, InstanceType="t3.large")
    told = account.api.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    assert told[0]["LaunchTemplateData"] == {"InstanceType": "t3.large"}
    assert told[1]["LaunchTemplateData"] == data(account, InstanceType="t3.medium")


def test_a_number_is_not_used_again_and_the_default_version_stays(account: Account) -> None:
    template = create(account)
    for kind in ("t3.medium", "t3.large"):
        version(account, template, InstanceType=kind)
    done = account.api.delete_launch_template_versions(LaunchTemplateId=template, Versions=["1", "3", "9"])
    deleted = done["SuccessfullyDeletedLaunchTemplateVersions"]
    kept = done["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [each["VersionNumber"] for each in deleted] == [3]
    assert {each["VersionNumber"]: each["ResponseError"]["Code"] for each in kept} == {
        1: "unexpectedError",
        9: "launchTemplateVersionDoesNotExist",
    }
    assert types(account, template) == {2: "t3.medium", 1: "t3.small"}
    assert version(account, template, InstanceType="t3.xlarge") == 4


def test_listings_come_in_pages(account: Account) -> None:
    made = [create(account, f"dormouse-{number}") for number in range(5)]
    pages = list(
        account.api.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 2})
    )
    assert [len(page["LaunchTemplates"]) for page in pages] == [2, 2, 1]
    assert [each["LaunchTemplateId"] for page in pages for each in page["LaunchTemplates"]] == made
    with refused("InvalidParameterValue", "200"):
        account.api.describe_launch_templates(MaxResults=201)
    with refused("InvalidNextToken"):
        account.api.describe_launch_templates(NextToken="x")


def test_the_versions_of_all_templates_are_told_by_name_only(account: Account) -> None:
    create(account)
    create(account, "other")
    told = account.api.describe_launch_template_versions(Versions=["$Default"])["LaunchTemplateVersions"]
    assert [each["LaunchTemplateName"] for each in told] == ["dormouse", "other"]
    for asked in ({}, {"Versions": ["1"]}):
        with refused("MissingParameter"):
            account.api.describe_launch_template_versions(**asked)


def test_a_launch_takes_everything_from_its_template(account: Account) -> None:
    template = create(account, LaunchTemplateData=data(account))
    instance = launch(account, template, ClientToken="wake-1")
    assert (instance["ImageId"], instance["InstanceType"]) == (IMAGE, "t3.small")
    assert instance["Placement"]["AvailabilityZone"] == ZONE
    assert instance["SubnetId"] == subnet(account)["SubnetId"]
    assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    (group,) = data(account)["NetworkInterfaces"][0]["Groups"]
    assert [each["GroupId"] for each in instance["SecurityGroups"]] == [group]
    assert instance["PublicIpAddress"]
    assert account.machines.launches[0].user_data == b"one\ntwo"
    assert [volume["Size"] for volume in account.api.describe_volumes()["Volumes"]] == [9]
    behaviour = account.api.describe_instance_attribute(
        InstanceId=instance["InstanceId"], Attribute="instanceInitiatedShutdownBehavior"
    )
    assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


def test_a_launch_has_the_tags_of_its_template_and_those_of_ec2(account: Account) -> None:
    template = create(account, LaunchTemplateData=data(account))
    tags = {tag["Key"]: tag["Value"] for tag in launch(account, template)["Tags"]}
    assert tags == {
        "dormouse:archiver": "a",
        "aws:ec2launchtemplate:id": template,
        "aws:ec2launchtemplate:version": "1",
    }


def test_a_launch_takes_the_version_that_it_asks_for(account: Account) -> None:
    template = create(account, LaunchTemplateData=data(account))
    version(account, template, **data(account, InstanceType="t3.medium"))
    asked = {"1": "t3.small", "$Default": "t3.small", "$Latest": "t3.medium", "2": "t3.medium"}
    assert {each: launch(account, template, each)["InstanceType"] for each in asked} == asked
    by_name = account.api.run_instances(LaunchTemplate={"LaunchTemplateName": "dormouse"}, **ONE)
    assert by_name["Instances"][0]["InstanceType"] == "t3.small"
    with refused("InvalidLaunchTemplateId.VersionNotFound"):
        launch(account, template, "3")
    with refused("InvalidLaunchTemplateId.NotFound"):
        launch(account, UNKNOWN)


def test_a_launch_may_override_parameters_and_tags_of_a_kind(account: Account) -> None:
    template = create(account, LaunchTemplateData=data(account))
    other = [{"Key": "other", "Value": "b"}]
    specifications = [{"ResourceType": "volume", "Tags": other}]
    instance = launch(account, template, InstanceType="t3.medium", TagSpecifications=specifications)
    assert instance["InstanceType"] == "t3.medium"
    assert MARK[0] in instance["Tags"]
    assert account.api.describe_volumes()["Volumes"][0]["Tags"] == other
    specifications = [{"ResourceType": "instance", "Tags": other}]
    tags = launch(account, template, TagSpecifications=specifications)["Tags"]
    assert other[0] in tags
    assert MARK[0] not in tags


def test_a_launch_from_a_template_may_ask_for_spot(account: Account) -> None:
    template = create(account, LaunchTemplateData=data(account))
    instance = launch(account, template, InstanceMarketOptions={"MarketType": "spot"})
    assert instance["InstanceLifecycle"] == "spot"


def test_a_token_counts_the_request_and_not_the_template(account: Account) -> None:
    template = create(account, LaunchTemplateData=data(account))
    one = launch(account, template, ClientToken="wake-1")["InstanceId"]
    version(account, template, **data(account, InstanceType="t3.medium"))
    account.api.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
    assert launch(account, template, ClientToken="wake-1")["InstanceId"] == one
    with refused("IdempotentParameterMismatch"):
        launch(account, template, ClientToken="wake-1", InstanceType="t3.small")


def test_a_launch_checks_what_its_template_says(account: Account) -> None:
    def refused_launch(name: str, code: str, **wrong: Any) -> None:
        template = create(account, name, LaunchTemplateData=data(account, **wrong))
        with refused(code):
            launch(account, template, DryRun=True)

    refused_launch("image", "InvalidAMIID.NotFound", ImageId="ami-0123456789abcdef0")
    refused_launch("type", "InvalidParameterValue", InstanceType="t99.huge")
    refused_launch("groups", "InvalidParameterCombination", SecurityGroupIds=["sg-0123456789abcdef0"])
    interface = {"DeviceIndex": 0, "SubnetId": "subnet-0123456789abcdef0"}
    refused_launch("subnet", "InvalidSubnetID.NotFound", NetworkInterfaces=[interface])
    refused_launch("index", "InvalidParameterValue", NetworkInterfaces=[{"SubnetId": "subnet-1"}])
    without = create(account)
    with refused("MissingParameter", "imageId"):
        launch(account, without)
    assert launch(account, without, ImageId=IMAGE, Placement={"AvailabilityZone": ZONE})["ImageId"] == IMAGE


def test_subnets_are_found_by_zone_and_by_being_the_default(account: Account) -> None:
    assert subnet(account)["DefaultForAz"]
    for name, value in [("defaultForAz", "true"), ("default-for-az", "yes"), ("cidr", "x")]:
        with refused("InvalidParameterValue"):
            account.api.describe_subnets(Filters=[{"Name": name, "Values": [value]}])
    filters = [
        {"Name": "availability-zone", "Values": [ZONE]},
        {"Name": "default-for-az", "Values": ["false"]},
    ]
    assert account.api.describe_subnets(Filters=filters)["Subnets"] == []


@pytest.mark.parametrize("key", ["Name", "dormouse:spec"])
def test_a_template_may_be_tagged_later(account: Account, key: str) -> None:
    template = create(account)
    account.api.create_tags(Resources=[template], Tags=[{"Key": key, "Value": "v"}])
    (told,) = account.api.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"]
    assert told["Tags"] == [{"Key": key, "Value": "v"}]
