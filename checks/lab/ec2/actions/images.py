"""CreateImage, DescribeImages, DeregisterImage."""

import re

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.copy_life import ImageLife, SnapshotLife
from checks.lab.ec2.corrected import CorrectedAmi
from checks.lab.ec2.form import Form
from checks.lab.ec2.instance_life import InstanceLife
from checks.lab.ec2.nixos_images import root_mapping
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region
from checks.lab.ec2.tags import check_tags

NAME = r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}"


@action("CreateImage")
def create_image(request: Request) -> bytes:
    region, form = request.region, request.form
    life = region.instance(form.require("InstanceId"))
    check_name(region, form.require("Name"))
    check_tags(form, {"image", "snapshot"})
    if life.state not in ("running", "stopped", "stopping"):
        message = f"The instance '{life.id}' is in the '{life.state}' state: it must be running or stopped"
        raise Refusal("IncorrectInstanceState", message)
    request.end_dry_run()
    image = make(request, life)
    region.context.machines.copy_disk(life.id, image.id, reboot=not form.flag("NoReboot"))
    region.copies.append(ImageLife(region.context, image))
    return request.render({"ImageId": image.id})


def check_name(region: Region, name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise Refusal("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long")
    for other in region.backend.amis.values():
        if other.name == name and other.owner_id == region.context.account:
            raise Refusal("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {other.id}")


def make(request: Request, life: InstanceLife) -> CorrectedAmi:
    """moto cannot tag EBS snapshots here, nor does it look at the instance's disks."""
    form, region = request.form, request.region
    plain = form.without("TagSpecification").without("BlockDeviceMapping")
    found = re.search(rb"<imageId>(.*?)</imageId>", request.forward(plain))
    assert found
    image: CorrectedAmi = region.backend.amis[found[1].decode()]
    image.__class__ = CorrectedAmi
    source = region.backend.amis.get(life.launch.image_id)
    image.root_device_name = life.instance.root_device_name
    image.root_device_type = "ebs"
    image.boot_mode = source.boot_mode if source else image.boot_mode
    image.imds_support = source.imds_support if source else None
    image.creation_date = region.context.clock.date()
    image.image_location = f"{region.context.account}/{image.name}"
    image.add_tags(form.tags("image"))
    image.ebs_snapshot.add_tags(form.tags("snapshot"))
    image.mappings = mappings(region, life, image, form)
    return image


def mappings(region: Region, life: InstanceLife, image: CorrectedAmi, form: Form) -> list[dict[str, object]]:
    """EC2 also takes along every volume that is attached, unless told `NoDevice`."""
    left_out = {item["DeviceName"] for item in form.items("BlockDeviceMapping") if "NoDevice" in item}
    root = life.instance.block_device_mapping[image.root_device_name]
    found = [root_mapping(image, root.size)]
    for volume in region.data_volumes(life):
        assert volume.attachment
        if volume.attachment.device not in left_out:
            found.append(data_mapping(region, volume.id, volume.attachment.device, form))
    return found


def data_mapping(region: Region, volume_id: str, device: str, form: Form) -> dict[str, object]:
    snapshot = region.backend.create_snapshot(volume_id, "Created by CreateImage")
    snapshot.add_tags(form.tags("snapshot"))
    region.copies.append(SnapshotLife(region.context, snapshot))
    region.context.machines.snapshot(volume_id, snapshot.id)
    volume = region.backend.volumes[volume_id]
    ebs = {
        "SnapshotId": snapshot.id,
        "VolumeSize": volume.size,
        "VolumeType": volume.volume_type,
        "DeleteOnTermination": False,
        "Encrypted": volume.encrypted,
    }
    return {"DeviceName": device, "Ebs": ebs}


@action("DescribeImages")
def describe_images(request: Request) -> bytes:
    """Deprecated images are seen by their owner, by id, or when they are asked for."""
    named = request.form.values("ImageId")
    for name in named:
        request.region.image(name)
    request.end_dry_run()
    images = request.region.backend.amis
    shows_all = bool(named) or request.form.flag("IncludeDeprecated")
    request.region.backend.amis = images if shows_all else current(request.region)
    try:
        return request.forward()
    finally:
        request.region.backend.amis = images


def current(region: Region) -> dict[str, CorrectedAmi]:
    now = f"{region.context.clock.date():%Y-%m-%dT%H:%M:%S.000Z}"
    images = region.backend.amis.items()
    return {key: image for key, image in images if (image.deprecation_time or now) >= now}


@action("DeregisterImage")
def deregister_image(request: Request) -> bytes:
    image = request.region.image(request.form.require("ImageId"))
    if image.owner_id != request.region.context.account:
        raise Refusal("AuthFailure", f"Not authorized for image:{image.id}")
    request.end_dry_run()
    return request.forward()
