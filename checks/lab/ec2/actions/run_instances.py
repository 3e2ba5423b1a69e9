"""RunInstances."""

import base64
import binascii
import re

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.corrected import CorrectedAmi
from checks.lab.ec2.form import Form
from checks.lab.ec2.instance_life import InstanceLife
from checks.lab.ec2.launch_disks import mapping
from checks.lab.ec2.launch_parameters import expanded, source
from checks.lab.ec2.machines import Launch
from checks.lab.ec2.refusal import Refusal, invalid
from checks.lab.ec2.region import Region
from checks.lab.ec2.tags import check_tags
from checks.lab.ec2.template_data import TAGGED, USER_DATA_LIMIT
from checks.lab.ec2.volume_life import VolumeLife


@action("RunInstances")
def run_instances(request: Request) -> bytes:
    region = request.region
    if before := region.tokens.find(request.form):
        return request.render(again(before))
    template = source(region, request.form)
    form = expanded(request.form, template)
    image = launchable(region, form.require("ImageId"))
    user_data = raw_user_data(form)
    check_count(form)
    check_interfaces(form)
    check_type(region, form, image)
    check_groups(region, form)
    if key := form.get("KeyName"):
        region.backend.describe_key_pairs(key_names=[key])
    check_tags(form, TAGGED)
    complete = with_defaults(form, image).without("BlockDeviceMapping").with_(mapping(form, image))
    request.end_dry_run()
    lives = launch(request, complete, user_data)
    for life in lives:
        life.instance.add_tags(template.tags if template else {})
    region.tokens.remember(request.form, lives)
    return request.render(lives[0].reservation)


def again(lives: list[InstanceLife]) -> object:
    """The same instances as before. While they shut down, EC2 still gives them out."""
    if any(life.is_over for life in lives):
        raise Refusal("IdempotentInstanceTerminated", "The instance of this request was terminated.")
    return lives[0].reservation


def launchable(region: Region, image_id: str) -> CorrectedAmi:
    image = region.image(image_id)
    if image.state != "available":
        message = f"The image id '[{image_id}]' is not in a state from which you can launch"
        raise Refusal("InvalidAMIID.Unavailable", message)
    return image


def raw_user_data(form: Form) -> bytes:
    """The limit counts bytes before base64; gzip or not is all the same to EC2."""
    try:
        raw = base64.b64decode(form.get("UserData") or "", validate=True)
    except binascii.Error:
        raise Refusal("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from None
    if len(raw) > USER_DATA_LIMIT:
        raise invalid(f"User data is limited to {USER_DATA_LIMIT} bytes")
    return raw


def check_count(form: Form) -> None:
    least, most = int(form.require("MinCount")), int(form.require("MaxCount"))
    if not 1 <= least <= most:
        raise invalid("Invalid value for MinCount or MaxCount")


def check_type(region: Region, form: Form, image: CorrectedAmi) -> None:
    """The type must exist, be offered in the zone, and have the image's architecture."""
    name = form.get("InstanceType") or "m1.small"
    if name not in INSTANCE_TYPES:
        raise invalid(f"Invalid value '{name}' for InstanceType.")
    zone = zone_of(region, form)
    offered = INSTANCE_TYPE_OFFERINGS["availability-zone"][region.context.region]
    if not any(o["InstanceType"] == name and o["Location"] == zone for o in offered):
        message = f"Your requested instance type ({name}) is not supported in your requested"
        raise Refusal("Unsupported", f"{message} Availability Zone ({zone}).")
    supported = INSTANCE_TYPES[name]["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture not in supported:
        raise invalid(
            f"The architecture '{','.join(supported)}' of the specified instance type does not"
            f" match the architecture '{image.architecture}' of the specified AMI."
        )


def zone_of(region: Region, form: Form) -> str:
    """The zone that was asked for, the subnet's, or the first."""
    asked = form.get("Placement.AvailabilityZone")
    if asked and asked not in region.zones():
        raise invalid(f"Invalid availability zone: [{asked}]")
    subnets = [form.get("SubnetId"), *(nic.get("SubnetId") for nic in form.items("NetworkInterface"))]
    for subnet in filter(None, subnets):
        zone: str = region.backend.get_subnet(subnet).availability_zone
        if asked and asked != zone:
            raise invalid(f"The availability zone {asked} does not match the subnet's, {zone}")
        return zone
    return asked or region.zones()[0]


def check_interfaces(form: Form) -> None:
    """What an interface says goes instead of what the instance would, so EC2 takes only one of them."""
    interfaces = form.items("NetworkInterface")
    for name, shown in [("SubnetId", "subnet ID"), ("SecurityGroupId", "security groups")]:
        if interfaces and form.has(name):
            message = (
                f"Network interfaces and an instance-level {shown} may not be specified on the same request"
            )
            raise Refusal("InvalidParameterCombination", message)
    if not all("DeviceIndex" in interface for interface in interfaces):
        raise invalid("Each network interface requires a device index.")


def check_groups(region: Region, form: Form) -> None:
    """moto makes the security groups of an interface that do not exist."""
    asked = form.values("SecurityGroupId")
    for nic in form.items("NetworkInterface"):
        asked += Form(nic).values("SecurityGroupId")
    for group in asked:
        if region.backend.get_security_group_from_id(group) is None:
            raise Refusal("InvalidGroup.NotFound", f"The security group '{group}' does not exist")


def with_defaults(form: Form, image: CorrectedAmi) -> Form:
    """An image that supports only IMDSv2 makes its instances require tokens."""
    defaults = {}
    if image.imds_support == "v2.0":
        defaults = {"MetadataOptions.HttpTokens": "required", "MetadataOptions.HttpPutResponseHopLimit": "2"}
    return Form({**defaults, **form.flat})


def launch(request: Request, form: Form, user_data: bytes) -> list[InstanceLife]:
    region = request.region
    # moto reads only the smallest number; EC2 gives as many as it can.
    answer = request.forward(form.with_({"MinCount": form.require("MaxCount")}))
    found = re.search(rb"<reservationId>(.*?)</reservationId>", answer)
    assert found, answer
    reservation = region.backend.reservations[found[1].decode()]
    for instance in reservation.instances:
        # moto gives the default group to the interface only.
        instance.security_groups = list(instance.nics[0].group_set)
        begin = Launch(instance.id, instance.image_id, instance.instance_type, user_data)
        region.instances[instance.id] = InstanceLife(region.context, reservation, instance, begin)
        take_volumes(region, instance)
    return [region.instances[instance.id] for instance in reservation.instances]


def take_volumes(region: Region, instance: object) -> None:
    """The volumes of the launch: the root's data is the machine's own disk."""
    for device, block in instance.get_block_device_mapping:  # type: ignore[attr-defined]
        volume = region.backend.volumes[block.volume_id]
        is_root = device == instance.root_device_name  # type: ignore[attr-defined]
        life = VolumeLife(region.context, volume, is_root=is_root)
        region.volumes[volume.id] = life
        if not is_root:
            region.context.machines.create_volume(volume.id, volume.size, volume.snapshot_id)
