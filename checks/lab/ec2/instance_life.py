"""An instance's way through EC2's states, in step with its machine."""

from typing import Any

from moto.ec2.models.instances import Instance, InstanceState, StateReason

from checks.lab.ec2.context import Context
from checks.lab.ec2.machines import Launch, Power

CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
BY_USER = ("Client.UserInitiatedShutdown", "User initiated shutdown")
BY_GUEST = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
BY_FAILURE = ("Server.InternalError", "Internal error on launch")
BY_SPOT = ("Server.SpotInstanceTermination", "Spot instance termination")
Reason = tuple[str, str]


class InstanceLife:
    """One instance from its launch until EC2 forgets it."""

    def __init__(self, context: Context, reservation: Any, instance: Instance, launch: Launch) -> None:
        self.context = context
        self.reservation = reservation
        self.instance = instance
        self.launch = launch
        self.launched = context.clock.now()
        self.ended: float | None = None
        self._reason = BY_USER
        self._wants_address = bool(instance.nics[0].public_ip)
        instance.nics[0].public_ip = None
        instance.launch_time = context.clock.date()
        self.address = context.machines.start(launch)
        self._enter("pending")

    @property
    def id(self) -> str:
        return self.launch.instance_id

    @property
    def state(self) -> str:
        return self.instance.state

    @property
    def is_over(self) -> bool:
        """It uses nothing any more: security groups may go, its token is spent."""
        return self.state == "terminated"

    def age(self) -> float:
        return self.context.clock.now() - self.launched

    def seconds(self) -> float:
        """How long it has been paid for: EC2 counts from the launch to the end."""
        return (self.ended or self.context.clock.now()) - self.launched

    def terminate(self, reason: Reason = BY_USER) -> None:
        """Begins the end, once: a second call changes nothing."""
        if self.state in ("shutting-down", "terminated"):
            return
        self.context.machines.kill(self.id)
        self._leave("shutting-down", reason)

    def stop(self, reason: Reason = BY_USER) -> None:
        if self.state == "running":
            self.context.machines.press_power_button(self.id)
            self._leave("stopping", reason)

    def start_again(self) -> None:
        if self.state == "stopped":
            self.context.machines.start_again(self.id)
            self.ended = None
            self._enter("pending")

    def tick(self) -> None:
        """Takes the next step, if it is time and the machine is ready for it."""
        power = Power.OFF if self.is_over else self.context.machines.power(self.id)
        timing = self.context.timing
        if self.state == "pending" and power == Power.OFF:
            self._leave("shutting-down", BY_FAILURE)
        elif self.state == "pending" and power == Power.ON and self._lasted(timing.pending):
            self._run()
        elif self.state == "running" and power == Power.OFF:
            self._powered_off()
        elif self.state == "stopping" and power == Power.OFF and self._lasted(timing.stopping):
            self._enter("stopped")
        elif self.state == "shutting-down" and power == Power.OFF and self._lasted(timing.shutting_down):
            self._end()

    @property
    def is_forgotten(self) -> bool:
        return self.is_over and self._lasted(self.context.timing.forgotten)

    def _lasted(self, seconds: float) -> bool:
        return self.context.clock.now() - self._since >= seconds

    def _enter(self, state: str) -> None:
        self._since = self.context.clock.now()
        self.instance._state = InstanceState(state, CODES[state])

    def _leave(self, state: str, reason: Reason) -> None:
        self._reason = reason
        self.ended = self.context.clock.now()
        self._enter(state)
        self._explain()

    def _explain(self) -> None:
        code, message = self._reason
        date = f"{self.context.clock.date():%Y-%m-%d %H:%M:%S} GMT"
        self.instance._reason = f"User initiated ({date})" if self._reason == BY_USER else ""
        self.instance.state_reason = StateReason(f"{code}: {message}", code)

    def _run(self) -> None:
        self._enter("running")
        if self._wants_address:
            self.instance.nics[0].public_ip = self.address
        for device, block in self.instance.get_block_device_mapping:
            if device != self.instance.root_device_name:
                self.context.machines.attach(block.volume_id, self.id)

    def _powered_off(self) -> None:
        """InstanceInitiatedShutdownBehavior says what a guest's power-off means."""
        ends = self.instance.instance_initiated_shutdown_behavior == "terminate"
        self._leave("shutting-down" if ends else "stopping", BY_GUEST)

    def _end(self) -> None:
        """moto lets the volumes go, or deletes those with DeleteOnTermination."""
        self.instance.terminate()
        self.instance.nics[0].public_ip = None
        self.context.machines.forget(self.id)
        self._enter("terminated")
        self._explain()
