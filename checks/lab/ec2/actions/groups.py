"""Security groups: moto deletes those that are in use."""

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region


@action("DeleteSecurityGroup")
def delete_security_group(request: Request) -> bytes:
    region, form = request.region, request.form
    group = region.backend.get_security_group_by_name_or_id(form.get("GroupId") or form.require("GroupName"))
    if group is None:
        name = form.get("GroupId") or form.get("GroupName")
        raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
    if group.name == "default":
        raise Refusal(
            "CannotDelete", f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
        )
    if group.id in used(region):
        raise Refusal("DependencyViolation", f"resource {group.id} has a dependent object")
    request.end_dry_run()
    return request.forward()


def used(region: Region) -> set[str]:
    """Groups of instances that are not terminated, and those that rules of others name."""
    found: set[str] = set()
    for life in region.instances.values():
        if not life.is_over:
            found |= {group.id for group in life.instance.security_groups}
            found |= {group.id for nic in life.instance.nics.values() for group in nic.group_set}
    for group in (group for groups in region.backend.groups.values() for group in groups.values()):
        named = {rule.source_group.get("GroupId") for rule in group.ingress_rules}
        found |= {name for name in named if name and name != group.id}
    return found
