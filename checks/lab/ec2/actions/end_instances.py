"""TerminateInstances, StopInstances, StartInstances."""

from collections.abc import Callable

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.instance_life import CODES, InstanceLife
from checks.lab.ec2.refusal import Refusal

State = dict[str, object]


@action("TerminateInstances")
def terminate_instances(request: Request) -> bytes:
    """May be repeated: an instance that is gone stays gone."""
    lives = named(request)
    for life in lives:
        if life.instance.disable_api_termination:
            message = f"The instance '{life.id}' may not be terminated. Modify its 'disableApiTermination'"
            raise Refusal("OperationNotPermitted", message)
    return request.render({"TerminatingInstances": changed(lives, InstanceLife.terminate)})


@action("StopInstances")
def stop_instances(request: Request) -> bytes:
    lives = named(request)
    for life in lives:
        require(life, "running", "stopping", "stopped")
        if life.instance.lifecycle == "spot":
            message = f"You can't stop the Spot Instance '{life.id}' because it is a one-time request"
            raise Refusal("UnsupportedOperation", message)
    return request.render({"StoppingInstances": changed(lives, InstanceLife.stop)})


@action("StartInstances")
def start_instances(request: Request) -> bytes:
    lives = named(request)
    for life in lives:
        require(life, "stopped", "pending", "running")
    return request.render({"StartingInstances": changed(lives, InstanceLife.start_again)})


def named(request: Request) -> list[InstanceLife]:
    request.form.require("InstanceId.1")
    lives = [request.region.instance(name) for name in request.form.values("InstanceId")]
    request.end_dry_run()
    return lives


def require(life: InstanceLife, *states: str) -> None:
    if life.state not in states:
        message = f"The instance '{life.id}' is not in a state from which it can be started or stopped."
        raise Refusal("IncorrectInstanceState", message)


def changed(lives: list[InstanceLife], change: Callable[[InstanceLife], None]) -> list[State]:
    return [change_of(life, change) for life in lives]


def change_of(life: InstanceLife, change: Callable[[InstanceLife], None]) -> State:
    before = shown(life)
    change(life)
    return {"InstanceId": life.id, "PreviousState": before, "CurrentState": shown(life)}


def shown(life: InstanceLife) -> State:
    return {"Name": life.state, "Code": CODES[life.state]}
