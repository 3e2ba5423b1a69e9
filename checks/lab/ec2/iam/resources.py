"""What AWS tells about each kind of resource: those that are there, and those that a call makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checks.lab.ec2.form import Form
from checks.lab.ec2.iam import reference
from checks.lab.ec2.iam.asked import ANYTHING, Asked
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region

Facts = dict[str, str]
# Their ARNs name no account.
OF_NOBODY = {"image", "snapshot"}
KINDS = {
    "ami": "image",
    "eni": "network-interface",
    "i": "instance",
    "lt": "launch-template",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}


@dataclass(frozen=True)
class Resource:
    """One resource of a call. What does not exist has neither facts nor tags."""

    kind: str
    arn: str
    facts: Facts = field(default_factory=dict)
    # The tags that it has, and those that the call gives it.
    tags: Mapping[str, str] = field(default_factory=dict)
    requested: Mapping[str, str] = field(default_factory=dict)

    def context(self, action: str) -> dict[str, list[str]]:
        """A key that AWS does not document for this action on this kind is not there."""
        found = {key: [value] for key, value in self.facts.items()}
        for key, value in self.tags.items():
            found |= {f"aws:ResourceTag/{key}": [value], f"ec2:ResourceTag/{key}": [value]}
        found |= {f"aws:RequestTag/{key}": [value] for key, value in self.requested.items()}
        if self.requested:
            found["aws:TagKeys"] = list(self.requested)
        return {key: v for key, v in found.items() if reference.is_documented(action, self.kind, key)}


@dataclass(frozen=True)
class Caller:
    """Who asks, and where."""

    arn: str
    region: Region

    def asks(self, action: str, resource: Resource) -> Asked:
        name, account = self.region.context.region, self.region.context.account
        everywhere = {"aws:RequestedRegion": [name], "ec2:Region": [name]}
        everywhere |= {"aws:PrincipalArn": [self.arn], "aws:PrincipalAccount": [account]}
        return Asked(self.arn, action, resource.arn, everywhere | resource.context(action))


def everything() -> Resource:
    """What an action is asked about for which no resource can be named."""
    return Resource("", ANYTHING)


def arn(region: Region, kind: str, name: str) -> str:
    account = "" if kind in OF_NOBODY else region.context.account
    return f"arn:aws:ec2:{region.context.region}:{account}:{kind}/{name}"


def new(region: Region, kind: str, facts: Facts | None = None, **more: Any) -> Resource:
    """A resource that the call makes: it has no name yet."""
    return Resource(kind, arn(region, kind, ANYTHING), facts or {}, **more)


def named(region: Region, resource_id: str, requested: Mapping[str, str] | None = None) -> Resource:
    """A resource by its id."""
    kind = KINDS.get(resource_id.partition("-")[0])
    if kind is None:
        raise Refusal("InvalidID", f"The lab does not know what kind of resource '{resource_id}' is")
    facts = FACTS[kind](region, resource_id)
    tags = dict(region.backend.tags.get(resource_id, {}))
    return Resource(kind, arn(region, kind, resource_id), facts, tags, requested or {})


def instance(region: Region, resource_id: str) -> Facts:
    life = region.instances.get(resource_id)
    if life is None:
        return {}
    found = life.instance
    options = found.metadata_options
    return {
        **of_any_instance(str(found.placement.zone), found.lifecycle or "on-demand"),
        "ec2:InstanceID": resource_id,
        "ec2:InstanceType": str(found.instance_type),
        "ec2:MetadataHttpEndpoint": str(options.http_endpoint),
        "ec2:MetadataHttpPutResponseHopLimit": str(options.http_put_response_hop_limit),
        "ec2:MetadataHttpTokens": str(options.http_tokens),
    }


def of_any_instance(zone: str, market: str) -> Facts:
    return {
        "ec2:AvailabilityZone": zone,
        "ec2:EbsOptimized": "false",
        "ec2:InstanceMarketType": market,
        "ec2:RootDeviceType": "ebs",
        "ec2:Tenancy": "default",
    }


def volume(region: Region, resource_id: str) -> Facts:
    life = region.volumes.get(resource_id)
    if life is None:
        return {}
    found = life.volume
    parent = {"ec2:ParentSnapshot": arn(region, "snapshot", found.snapshot_id)} if found.snapshot_id else {}
    facts = of_any_volume(str(found.size), found.volume_type, found.encrypted)
    zone = str(found.zone.name)
    return {**facts, **parent, "ec2:AvailabilityZone": zone, "ec2:VolumeID": resource_id}


def of_any_volume(size: str, kind: str, encrypted: object) -> Facts:
    return {
        "ec2:Encrypted": str(encrypted).lower(),
        "ec2:VolumeSize": size,
        "ec2:VolumeType": kind,
    }


def image(region: Region, resource_id: str) -> Facts:
    found = region.backend.amis.get(resource_id)
    if found is None:
        return {}
    return {
        "ec2:ImageID": resource_id,
        "ec2:ImageType": "machine",
        "ec2:Owner": found.owner_id,
        "ec2:Public": str(bool(found.is_public)).lower(),
        "ec2:RootDeviceType": "ebs",
    }


def snapshot(region: Region, resource_id: str) -> Facts:
    found = region.backend.snapshots.get(resource_id)
    if found is None:
        return {}
    return {
        "ec2:Owner": found.owner_id,
        "ec2:ParentVolume": arn(region, "volume", found.volume.id),
        "ec2:SnapshotID": resource_id,
        "ec2:VolumeSize": str(found.volume.size),
    }


def security_group(region: Region, resource_id: str) -> Facts:
    found = region.backend.get_security_group_from_id(resource_id)
    if found is None:
        return {}
    return {"ec2:SecurityGroupID": resource_id, "ec2:Vpc": arn(region, "vpc", found.vpc_id)}


def subnet(region: Region, resource_id: str) -> Facts:
    found = next((zone[resource_id] for zone in region.backend.subnets.values() if resource_id in zone), None)
    if found is None:
        return {}
    return {
        "ec2:AvailabilityZone": str(found.availability_zone),
        "ec2:SubnetID": resource_id,
        "ec2:Vpc": arn(region, "vpc", found.vpc_id),
    }


def vpc(_: Region, resource_id: str) -> Facts:
    return {"ec2:Tenancy": "default", "ec2:VpcID": resource_id}


def nothing(_: Region, __: str) -> Facts:
    return {}


FACTS = {
    "image": image,
    "instance": instance,
    "launch-template": nothing,
    "network-interface": nothing,
    "security-group": security_group,
    "snapshot": snapshot,
    "subnet": subnet,
    "volume": volume,
    "vpc": vpc,
}


def given(form: Form, name: str = "Tag") -> dict[str, str]:
    """The tags that a call names by themselves."""
    return {tag["Key"]: tag.get("Value", "") for tag in form.items(name)}
