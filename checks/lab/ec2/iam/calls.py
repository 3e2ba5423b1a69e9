"""Which requests each call makes: an action, on each of its resources.

A resource that the reference calls optional is asked about if the call names it.
"""

from collections.abc import Callable, Iterator

from checks.lab.ec2.form import Form
from checks.lab.ec2.iam import reference
from checks.lab.ec2.iam.launches import Doubts, planned
from checks.lab.ec2.iam.resources import Resource, arn, everything, given, named, new, of_any_volume
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region

Request = tuple[str, Resource]
Asks = Callable[[Region, Form], Iterator[Resource]]
TABLE: dict[str, Asks] = {}
CREATE_TAGS = "CreateTags"


def asks(*names: str) -> Callable[[Asks], Asks]:
    def enter(function: Asks) -> Asks:
        TABLE.update(dict.fromkeys(names, function))
        return function

    return enter


def requests(region: Region, form: Form, doubts: Doubts) -> Iterator[Request]:
    """All that must be allowed before a call is done."""
    action = form.require("Action")
    if action == "RunInstances":
        launch = planned(region, form, doubts)
        yield from ((action, resource) for resource in launch.resources())
        yield from ((CREATE_TAGS, resource) for resource in launch.tagged())
    elif action in TABLE:
        for resource in TABLE[action](region, form):
            yield action, resource
            if resource.requested and action not in (CREATE_TAGS, "DeleteTags"):
                facts = {**resource.facts, "ec2:CreateAction": action}
                yield CREATE_TAGS, Resource(resource.kind, resource.arn, facts, {}, resource.requested)
    elif action in reference.actions() and not reference.names_resources(action):
        yield action, everything()
    else:
        raise Refusal("InvalidAction", f"The lab does not know what AWS asks IAM for {action}")


@asks("TerminateInstances", "StartInstances", "StopInstances")
def instances(region: Region, form: Form) -> Iterator[Resource]:
    yield from (named(region, each) for each in form.values("InstanceId"))


@asks("DescribeInstanceAttribute", "GetConsoleOutput", "ModifyInstanceAttribute")
def instance(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.require("InstanceId"))
    yield from (named(region, each) for each in form.values("GroupId"))


@asks("AttachVolume", "DetachVolume")
def attachment(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.require("VolumeId"))
    if instance_id := form.get("InstanceId"):
        yield named(region, instance_id)


@asks("DeleteVolume", "ModifyVolume")
def volume(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.require("VolumeId"))


@asks("CreateVolume")
def create_volume(region: Region, form: Form) -> Iterator[Resource]:
    snapshot = form.get("SnapshotId")
    facts = of_any_volume(
        form.get("Size") or "", form.get("VolumeType") or "gp2", form.get("Encrypted") or "false"
    )
    facts |= {"ec2:AvailabilityZone": form.require("AvailabilityZone"), "ec2:VolumeID": "*"}
    if snapshot:
        facts["ec2:ParentSnapshot"] = arn(region, "snapshot", snapshot)
        yield named(region, snapshot)
    shown = {key: value for key, value in facts.items() if value}
    yield new(region, "volume", shown, requested=form.tags("volume"))


@asks("CreateSnapshot")
def create_snapshot(region: Region, form: Form) -> Iterator[Resource]:
    source = named(region, form.require("VolumeId"))
    facts = {"ec2:ParentVolume": source.arn, "ec2:SnapshotID": "*"}
    yield source
    yield new(region, "snapshot", facts, requested=form.tags("snapshot"))


@asks("DeleteSnapshot")
def snapshot(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.require("SnapshotId"))


@asks("CreateImage")
def create_image(region: Region, form: Form) -> Iterator[Resource]:
    facts = {"ec2:ImageID": "*", "ec2:Owner": region.context.account}
    yield named(region, form.require("InstanceId"))
    yield new(region, "image", facts, requested=form.tags("image"))
    yield new(region, "snapshot", {"ec2:SnapshotID": "*"}, requested=form.tags("snapshot"))


@asks("DeregisterImage")
def image(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.require("ImageId"))


@asks("CreateSecurityGroup")
def create_group(region: Region, form: Form) -> Iterator[Resource]:
    """It is made in the default network if none is named."""
    vpc = form.get("VpcId") or str(region.backend.get_default_vpc().id)
    yield named(region, vpc)
    facts = {"ec2:SecurityGroupID": "*"}
    yield new(region, "security-group", facts, requested=form.tags("security-group"))


@asks(
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "DeleteSecurityGroup",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
)
def group(region: Region, form: Form) -> Iterator[Resource]:
    name = form.get("GroupId") or form.require("GroupName")
    found = region.backend.get_security_group_by_name_or_id(name)
    if found is None and form.get("GroupId") is None:
        raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
    yield named(region, found.id if found else name)
    if requested := form.tags("security-group-rule"):
        yield new(region, "security-group-rule", requested=requested)


@asks("CreateLaunchTemplate")
def create_template(region: Region, form: Form) -> Iterator[Resource]:
    yield new(region, "launch-template", requested=form.tags("launch-template"))


@asks(
    "CreateLaunchTemplateVersion",
    "DeleteLaunchTemplate",
    "DeleteLaunchTemplateVersions",
    "ModifyLaunchTemplate",
)
def template(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.get("LaunchTemplateId") or region.templates.meant(form).id)


@asks("CreateKeyPair", "DeleteKeyPair", "ImportKeyPair")
def key_pair(region: Region, form: Form) -> Iterator[Resource]:
    name = form.require("KeyName")
    facts = {"ec2:KeyPairName": name}
    yield Resource("key-pair", arn(region, "key-pair", name), facts, {}, form.tags("key-pair"))


@asks("CreateVpc")
def create_vpc(region: Region, form: Form) -> Iterator[Resource]:
    yield new(region, "vpc", {"ec2:VpcID": "*"}, requested=form.tags("vpc"))


@asks("CreateSubnet")
def create_subnet(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.require("VpcId"))
    yield new(region, "subnet", {"ec2:SubnetID": "*"}, requested=form.tags("subnet"))


@asks("DeleteSubnet", "ModifySubnetAttribute")
def subnet(region: Region, form: Form) -> Iterator[Resource]:
    yield named(region, form.require("SubnetId"))


@asks(CREATE_TAGS, "DeleteTags")
def tags(region: Region, form: Form) -> Iterator[Resource]:
    yield from (named(region, each, given(form)) for each in form.values("ResourceId"))
