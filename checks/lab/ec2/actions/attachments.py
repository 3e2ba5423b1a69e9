"""AttachVolume and DetachVolume."""

import re

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.instance_life import InstanceLife
from checks.lab.ec2.refusal import Refusal, invalid
from checks.lab.ec2.volume_life import VolumeLife

# /dev/sdf to /dev/sdp are for EBS; EC2 takes a few more.
DEVICE = r"(/dev/)?(sd[a-z]|xvd[a-z]|xvd[b-d][a-z])[0-9]{0,2}"


@action("AttachVolume")
def attach_volume(request: Request) -> bytes:
    form = request.form
    device = form.require("Device")
    volume = request.region.volume(form.require("VolumeId"))
    life = request.region.instance(form.require("InstanceId"))
    check_volume(volume, life)
    check_instance(life, device)
    request.end_dry_run()
    request.forward()
    volume.attach()
    return request.render(shown(volume))


def check_volume(volume: VolumeLife, life: InstanceLife) -> None:
    if volume.volume.availability_zone != life.instance.placement.zone:
        raise Refusal(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{life.id}'",
        )
    if volume.attachment:
        raise Refusal("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.volume.status != "available":
        raise Refusal("IncorrectState", f"{volume.id} is not 'available'.")


def check_instance(life: InstanceLife, device: str) -> None:
    if life.state not in ("running", "stopped"):
        raise Refusal("IncorrectState", f"Instance '{life.id}' is not 'running'.")
    if not re.fullmatch(DEVICE, device):
        raise invalid(
            f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name."
        )
    if device in life.instance.block_device_mapping:
        message = f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        raise invalid(message)


@action("DetachVolume")
def detach_volume(request: Request) -> bytes:
    form = request.form
    volume = request.region.volume(form.require("VolumeId"))
    attachment = volume.attachment
    if attachment is None:
        raise Refusal("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
    if form.get("InstanceId") not in (None, attachment.instance.id):
        message = f"The volume '{volume.id}' is not attached to instance '{form.get('InstanceId')}'"
        raise Refusal("InvalidAttachment.NotFound", message)
    if volume.is_root and attachment.instance.state != "stopped":
        message = f"Unable to detach root volume '{volume.id}' from instance '{attachment.instance.id}'"
        raise Refusal("OperationNotPermitted", message)
    if attachment.status == "detaching":
        raise Refusal("IncorrectState", f"Volume '{volume.id}' is in the 'detaching' state.")
    request.end_dry_run()
    volume.detach()
    return request.render(shown(volume))


def shown(volume: VolumeLife) -> dict[str, object]:
    attachment = volume.attachment
    assert attachment
    return {
        "VolumeId": volume.id,
        "InstanceId": attachment.instance.id,
        "Device": attachment.device,
        "State": attachment.status,
        "AttachTime": attachment.attach_time,
        "DeleteOnTermination": attachment.delete_on_termination,  # type: ignore[attr-defined]
    }
