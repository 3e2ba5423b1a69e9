"""EBS snapshots."""

import re

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.copy_life import SnapshotLife
from checks.lab.ec2.tags import check_tags


@action("CreateSnapshot")
def create_snapshot(request: Request) -> bytes:
    region = request.region
    volume = region.volume(request.form.require("VolumeId"))
    check_tags(request.form, {"snapshot"})
    request.end_dry_run()
    found = re.search(rb"<snapshotId>(.*?)</snapshotId>", request.forward())
    assert found
    snapshot = region.backend.snapshots[found[1].decode()]
    region.context.machines.snapshot(volume.id, snapshot.id)
    region.copies.append(SnapshotLife(region.context, snapshot))
    return request.render(snapshot)


@action("DescribeSnapshots", "DeleteSnapshot")
def right_in_moto(request: Request) -> bytes:
    request.end_dry_run()
    return request.forward()
