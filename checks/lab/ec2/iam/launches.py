"""What a launch asks for: everything that the instance is made of, and the tags that it begins with.

AWS' documentation of `ec2:IsLaunchTemplateResource` and of spot requests is
the source: "Example policies to control access to the EC2 API".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from checks.lab.ec2.actions.run_instances import zone_of
from checks.lab.ec2.form import Form
from checks.lab.ec2.iam.resources import Facts, Resource, arn, named, new, of_any_instance, of_any_volume
from checks.lab.ec2.launch_disks import mapping
from checks.lab.ec2.launch_parameters import Source, expanded, source
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region
from checks.lab.ec2.template_data import TAGGED

# The parameters by which a request brings a resource of its own instead of the template's.
OVERRIDES = {
    "image": {"ImageId"},
    "key-pair": {"KeyName"},
    "network-interface": {"NetworkInterface"},
    "security-group": {"NetworkInterface", "SecurityGroup", "SecurityGroupId"},
    "snapshot": {"BlockDeviceMapping", "ImageId"},
    "subnet": {"NetworkInterface", "SubnetId"},
    "volume": {"BlockDeviceMapping"},
}
# They are about other resources, or add to what there is.
NOT_OF_INSTANCE = {"TagSpecification"}.union(*OVERRIDES.values())


@dataclass(frozen=True)
class Doubts:
    """What AWS' documentation leaves open. A claim about policies should hold both ways."""

    # Whether overriding a parameter, such as the type or the user data, makes ec2:IsLaunchTemplateResource false
    # for the instance.
    instance_shows_overrides: bool = True
    # Whether the snapshots of an account's own image must be allowed too. In the guide's examples they are not.
    asks_for_snapshots_of_images: bool = False


@dataclass(frozen=True)
class Planned:
    """A launch before it is done."""

    region: Region
    asked: Form
    found: Source | None
    doubts: Doubts

    @property
    def form(self) -> Form:
        return expanded(self.asked, self.found)

    def resources(self) -> Iterator[Resource]:
        for each in self._made_of():
            yield replace(each, facts={**each.facts, **self._of_template(each.kind)})

    def tagged(self) -> Iterator[Resource]:
        """What is tagged in the same call, which is a call of its own to IAM."""
        facts = {"instance": self._instance(), "network-interface": self._interface()}
        for kind in sorted(TAGGED):
            if requested := self.form.tags(kind):
                found = {**facts.get(kind, {}), "ec2:CreateAction": "RunInstances"}
                yield new(self.region, kind, found, requested=requested)

    def _made_of(self) -> Iterator[Resource]:
        region, form = self.region, self.form
        yield named(region, form.require("ImageId"))
        yield new(region, "instance", self._instance(), requested=form.tags("instance"))
        yield new(region, "network-interface", self._interface(), requested=form.tags("network-interface"))
        for group in self._groups():
            yield named(region, group)
        yield named(region, self._subnet())
        yield from self._disks()
        if key := form.get("KeyName"):
            yield Resource("key-pair", arn(region, "key-pair", key), {"ec2:KeyPairName": key})
        if self.found:
            yield named(region, self.found.template.id)
        if self._market() == "spot" and (requested := form.tags("spot-instances-request")):
            yield new(region, "spot-instances-request", requested=requested)

    def _of_template(self, kind: str) -> Facts:
        """Where a resource comes from. Only what the request itself brings is not the template's."""
        if self.found is None:
            return {}
        ours = "false" if self._is_overridden(kind) else "true"
        return {"ec2:LaunchTemplate": self.found.template.arn, "ec2:IsLaunchTemplateResource": ours}

    def _is_overridden(self, kind: str) -> bool:
        requested = names(self.asked)
        if kind != "instance":
            return bool(requested & OVERRIDES.get(kind, set()))
        assert self.found
        both = requested & names(self.found.version.data) - NOT_OF_INSTANCE
        return self.doubts.instance_shows_overrides and bool(both)

    def _market(self) -> str:
        return self.form.get("InstanceMarketOptions.MarketType") or "on-demand"

    def _instance(self) -> Facts:
        """Metadata options count as far as the launch names them, whatever the image says."""
        form = self.form
        options = ("HttpEndpoint", "HttpPutResponseHopLimit", "HttpTokens")
        asked = {f"ec2:Metadata{name}": form.get(f"MetadataOptions.{name}") for name in options}
        return {
            **of_any_instance(zone_of(self.region, form), self._market()),
            **{key: value for key, value in asked.items() if value is not None},
            "ec2:InstanceID": "*",
            "ec2:InstanceType": form.get("InstanceType") or "m1.small",
        }

    def _interface(self) -> Facts:
        subnet = self._subnet()
        of_subnet = named(self.region, subnet).facts
        facts: Facts = {key: value for key, value in of_subnet.items() if key != "ec2:SubnetID"}
        for interface in self.form.items("NetworkInterface"):
            if public := interface.get("AssociatePublicIpAddress"):
                facts["ec2:AssociatePublicIpAddress"] = public.lower()
        return {**facts, "ec2:NetworkInterfaceID": "*", "ec2:Subnet": arn(self.region, "subnet", subnet)}

    def _subnet(self) -> str:
        """The one that is asked for, or the zone's default."""
        form = self.form
        asked = [form.get("SubnetId"), *(nic.get("SubnetId") for nic in form.items("NetworkInterface"))]
        if found := next(filter(None, asked), None):
            return found
        zone = zone_of(self.region, form)
        default = self.region.backend.get_default_subnets().get(zone)
        if default is None:
            raise Refusal("MissingInput", f"No default subnet for availability zone: '{zone}'.")
        return str(default.id)

    def _groups(self) -> list[str]:
        """Those that are asked for, or the default one of the network."""
        form, backend = self.form, self.region.backend
        asked = form.values("SecurityGroupId")
        for nic in form.items("NetworkInterface"):
            asked += Form(nic).values("SecurityGroupId")
        by_name = [backend.get_security_group_by_name_or_id(name) for name in form.values("SecurityGroup")]
        asked += [group.id for group in by_name if group]
        vpc = backend.get_subnet(self._subnet()).vpc_id
        return asked or [backend.get_default_security_group(vpc).id]

    def _disks(self) -> Iterator[Resource]:
        """A volume for each disk, and the snapshots that the launch names."""
        region = self.region
        image = region.image(self.form.require("ImageId"))
        zone = zone_of(region, self.form)
        are_asked_for = self.doubts.asks_for_snapshots_of_images and image.owner_id == region.context.account
        named_here = {item.get("Ebs.SnapshotId") for item in self.form.items("BlockDeviceMapping")}
        for disk in Form(mapping(self.form, image)).items("BlockDeviceMapping"):
            facts = of_any_volume(
                disk["Ebs.VolumeSize"], disk["Ebs.VolumeType"], disk.get("Ebs.Encrypted", "false")
            )
            facts |= {"ec2:AvailabilityZone": zone, "ec2:VolumeID": "*"}
            snapshot = disk.get("Ebs.SnapshotId")
            if snapshot:
                facts["ec2:ParentSnapshot"] = arn(region, "snapshot", snapshot)
            yield new(region, "volume", facts, requested=self.form.tags("volume"))
            if snapshot and (are_asked_for or snapshot in named_here):
                yield named(region, snapshot)


def planned(region: Region, asked: Form, doubts: Doubts) -> Planned:
    return Planned(region, asked, source(region, asked), doubts)


def names(form: Form) -> set[str]:
    """The parameters of a form, without what is below them."""
    return {key.partition(".")[0] for key in form.flat}
