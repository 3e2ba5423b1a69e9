"""ModifyVolume and DescribeVolumesModifications."""

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.modification import Modification, values
from checks.lab.ec2.refusal import Refusal, invalid
from checks.lab.ec2.volume_life import VolumeLife
from checks.lab.ec2.volume_sizes import check_size

MOST_IN_A_DAY = 4


@action("ModifyVolume")
def modify_volume(request: Request) -> bytes:
    form = request.form
    life = request.region.volume(form.require("VolumeId"))
    check_state(life)
    size = form.number("Size") or life.volume.size
    if size < life.volume.size:
        raise invalid("New size cannot be smaller than existing size")
    check_size(form.get("VolumeType") or life.volume.volume_type, size)
    request.end_dry_run()
    original = values(life.volume)
    request.forward()
    begun = Modification.begin(life.context, life.volume, original)
    life.modifications.append(begun)
    return request.render({"VolumeModification": begun.shown})


def check_state(life: VolumeLife) -> None:
    """One at a time, and at most four within 24 hours."""
    if life.volume.status not in ("available", "in-use"):
        raise Refusal("IncorrectState", f"The volume '{life.id}' is in the '{life.volume.status}' state")
    if life.modifications and life.modifications[-1].is_under_way:
        state = life.modifications[-1].shown.modification_state
        message = f"Cannot modify volume {life.id}: it is currently in modification state {state.upper()}"
        raise Refusal("IncorrectModificationState", message)
    if life.modified_lately() >= MOST_IN_A_DAY:
        raise Refusal(
            "VolumeModificationRateExceeded",
            "You've reached the maximum modification rate per volume limit:"
            f" at most {MOST_IN_A_DAY} modifications within 24 hours",
        )


@action("DescribeVolumesModifications")
def describe_volumes_modifications(request: Request) -> bytes:
    for name in request.form.values("VolumeId"):
        if not request.region.volume(name).modifications:
            message = f"Modification for volume '{name}' does not exist."
            raise Refusal("InvalidVolumeModification.NotFound", message)
    request.end_dry_run()
    return request.forward()
