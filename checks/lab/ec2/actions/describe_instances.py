"""What EC2 tells about instances."""

import base64

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.refusal import Refusal, invalid

PAGES = range(5, 1001)


@action("DescribeInstances", "DescribeInstanceStatus")
def describe_instances(request: Request) -> bytes:
    """A new instance is found by its id before it is found by its tags."""
    form = request.form
    check_page(request)
    for name in form.values("InstanceId"):
        request.region.instance(name)
    request.end_dry_run()
    with request.region.only_found(by_filter=not form.has("InstanceId")):
        return request.forward()


@action("DescribeInstanceAttribute")
def describe_instance_attribute(request: Request) -> bytes:
    request.region.instance(request.form.require("InstanceId"))
    request.end_dry_run()
    return request.forward()


@action("ModifyInstanceAttribute")
def modify_instance_attribute(request: Request) -> bytes:
    """Only what moto does right; other attributes would change the security groups there."""
    form = request.form
    life = request.region.instance(form.require("InstanceId"))
    request.end_dry_run()
    if form.has("UserData") and life.state != "stopped":
        message = f"The instance '{life.id}' is not in the 'stopped' state."
        raise Refusal("IncorrectInstanceState", message)
    if behaviour := form.get("InstanceInitiatedShutdownBehavior.Value"):
        life.instance.instance_initiated_shutdown_behavior = behaviour
        return request.render({})
    if not any(
        form.has(name) for name in ("BlockDeviceMapping", "UserData", "DisableApiTermination", "GroupId")
    ):
        raise invalid("The lab's EC2 does not modify this attribute")
    return request.forward()


@action("GetConsoleOutput")
def get_console_output(request: Request) -> bytes:
    life = request.region.instance(request.form.require("InstanceId"))
    request.end_dry_run()
    output = request.region.context.machines.console(life.id)[-65536:]
    shown = base64.b64encode(output).decode()
    return request.render({"InstanceId": life.id, "Timestamp": life.instance.launch_time, "Output": shown})


def check_page(request: Request) -> None:
    size = request.form.number("MaxResults")
    if size is None:
        return
    if size not in PAGES:
        raise invalid(
            f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."
        )
    if request.form.has("InstanceId") or request.form.has("VolumeId"):
        message = "The parameter instancesSet cannot be used with the parameter maxResults"
        raise Refusal("InvalidParameterCombination", message)
