"""CreateVolume, DeleteVolume and what EC2 tells about volumes."""

import re

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.actions.describe_instances import check_page
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.tags import check_tags
from checks.lab.ec2.volume_life import VolumeLife
from checks.lab.ec2.volume_sizes import check_size


@action("CreateVolume")
def create_volume(request: Request) -> bytes:
    region, form = request.region, request.form
    if before := region.tokens.find(form):
        return request.render(before.volume)
    zone = form.require("AvailabilityZone")
    if zone not in region.zones():
        raise Refusal("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    size = size_of(request)
    check_size(form.get("VolumeType") or "gp2", size)
    check_tags(form, {"volume"})
    request.end_dry_run()
    answer = request.forward(form.with_({"Size": str(size)}))
    found = re.search(rb"<volumeId>(.*?)</volumeId>", answer)
    assert found, answer
    life = VolumeLife(region.context, region.backend.volumes[found[1].decode()])
    region.volumes[life.id] = life
    region.context.machines.create_volume(life.id, size, form.get("SnapshotId"))
    region.tokens.remember(form, life)
    return request.render(life.volume)


def size_of(request: Request) -> int:
    """The size asked for, at least that of the EBS snapshot."""
    asked = request.form.number("Size")
    snapshot_id = request.form.get("SnapshotId")
    if snapshot_id is None:
        if asked is None:
            raise Refusal("MissingParameter", "The request must contain the parameter size/snapshot")
        return asked
    snapshot = request.region.backend.get_snapshot(snapshot_id)
    if snapshot.status != "completed":
        raise Refusal("IncorrectState", f"Snapshot is in invalid state - {snapshot.status}")
    if asked is not None and asked < snapshot.volume_size:
        message = f"The size of a volume must be at least that of snapshot '{snapshot_id}'"
        raise Refusal("InvalidParameterValue", message)
    return asked or int(snapshot.volume_size)


@action("DeleteVolume")
def delete_volume(request: Request) -> bytes:
    life = request.region.volume(request.form.require("VolumeId"))
    if life.attachment:
        message = f"Volume {life.id} is currently attached to {life.attachment.instance.id}"
        raise Refusal("VolumeInUse", message)
    if life.volume.status != "available":
        raise Refusal("IncorrectState", f"The volume '{life.id}' is in the '{life.volume.status}' state")
    request.end_dry_run()
    life.delete()
    return request.render({})


@action("DescribeVolumes")
def describe_volumes(request: Request) -> bytes:
    check_page(request)
    for name in request.form.values("VolumeId"):
        request.region.volume(name)
    request.end_dry_run()
    return request.forward()
