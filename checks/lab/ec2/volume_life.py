"""A volume's way through EC2's states, in step with its disk."""

from typing import Any

from moto.ec2.models.elastic_block_store import VolumeAttachment

from checks.lab.ec2.context import Context
from checks.lab.ec2.corrected import CorrectedVolume
from checks.lab.ec2.modification import Modification

DAY = 86400


class VolumeLife:
    """One volume from its creation until it is deleted."""

    def __init__(self, context: Context, volume: Any, *, is_root: bool = False) -> None:
        volume.__class__ = CorrectedVolume
        self.volume: CorrectedVolume = volume
        self.volume.create_time = context.clock.date()
        self.context = context
        self.is_root = is_root
        self.modifications: list[Modification] = []
        self.created = context.clock.now()
        self.volume.phase = "" if volume.attachment else "creating"
        self._since = self.created
        if volume.attachment:
            self._begin("attaching")

    @property
    def id(self) -> str:
        return self.volume.id

    @property
    def attachment(self) -> VolumeAttachment | None:
        return self.volume.attachment

    def attach(self) -> None:
        """Begins the attachment that moto has made already."""
        assert self.attachment
        self._begin("attaching")
        if self.attachment.instance.state == "running":
            self.context.machines.attach(self.id, self.attachment.instance.id)

    def detach(self) -> None:
        assert self.attachment
        self._begin("detaching")
        if self._is_plugged():
            self.context.machines.detach(self.id, self.attachment.instance.id)

    def delete(self) -> None:
        self.volume.phase = "deleting"
        self._since = self.context.clock.now()

    def modified_lately(self) -> int:
        """How many modifications began within the last 24 hours."""
        now = self.context.clock.now()
        return sum(now - modification.begun < DAY for modification in self.modifications)

    def tick(self) -> None:
        timing = self.context.timing
        if self.volume.phase == "creating" and self._lasted(timing.creating):
            self.volume.phase = ""
        elif self.volume.phase == "deleting" and self._lasted(timing.deleting):
            self.context.backend.volumes.pop(self.id, None)
        if self.attachment:
            self._settle(self.attachment)
        for modification in self.modifications[-1:]:
            modification.tick()

    @property
    def is_gone(self) -> bool:
        return self.id not in self.context.backend.volumes

    def _settle(self, attachment: VolumeAttachment) -> None:
        timing = self.context.timing
        if attachment.status == "attaching" and self._lasted(timing.attaching) and self._is_there():
            self._show("attached")
        elif attachment.status == "detaching" and self._lasted(timing.detaching) and not self._is_plugged():
            self.context.backend.detach_volume(self.id, attachment.instance.id, attachment.device)
        else:
            self._show(attachment.status)

    def _is_there(self) -> bool:
        """A stopped instance, and one's own root disk, have nothing plugged in."""
        assert self.attachment
        state = self.attachment.instance.state
        if self.is_root or state == "stopped":
            return bool(state != "pending")
        return self._is_plugged()

    def _is_plugged(self) -> bool:
        return self.context.machines.is_attached(self.id)

    def _begin(self, status: str) -> None:
        self._since = self.context.clock.now()
        if status == "attaching":
            self.attachment.attach_time = self.context.clock.date()  # type: ignore[union-attr]
        self._show(status)

    def _show(self, status: str) -> None:
        """moto keeps an attachment in two places, and one of them without all fields."""
        assert self.attachment
        block = self.attachment.instance.block_device_mapping[self.attachment.device]
        block.status = self.attachment.status = status
        self.attachment.delete_on_termination = block.delete_on_termination  # type: ignore[attr-defined]

    def _lasted(self, seconds: float) -> bool:
        return self.context.clock.now() - self._since >= seconds
