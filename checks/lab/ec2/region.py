"""What an account has in one region, and the finding of it by id."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from checks.lab.ec2 import nixos_images
from checks.lab.ec2.context import Context
from checks.lab.ec2.copy_life import ImageLife, SnapshotLife
from checks.lab.ec2.corrected import CorrectedAmi
from checks.lab.ec2.instance_life import InstanceLife
from checks.lab.ec2.refusal import Refusal, invalid
from checks.lab.ec2.templates import LaunchTemplates
from checks.lab.ec2.throttle import Throttle
from checks.lab.ec2.tokens import Tokens
from checks.lab.ec2.volume_life import VolumeLife

ID = r"-([0-9a-f]{8}|[0-9a-f]{17})"


class Region:
    """All that lives in a region. Whoever uses it holds the API's lock."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.instances: dict[str, InstanceLife] = {}
        self.past: list[InstanceLife] = []
        self.volumes: dict[str, VolumeLife] = {}
        self.copies: list[ImageLife | SnapshotLife] = []
        self.templates = LaunchTemplates(context)
        self.tokens = Tokens()
        self.throttle = Throttle(context.clock)
        nixos_images.register(context)

    @property
    def backend(self) -> Any:
        return self.context.backend

    def advance(self) -> None:
        """Brings everything to where it is by now."""
        for instance in list(self.instances.values()):
            instance.tick()
            if instance.is_forgotten:
                self._forget(instance)
        for volume in list(self.volumes.values()):
            if not volume.is_gone:
                volume.tick()
            if volume.is_gone:
                self._drop(volume)
        for copy in self.copies:
            if not copy.is_done:
                copy.tick()

    def instance(self, instance_id: str) -> InstanceLife:
        """An instance that EC2 has heard of by now."""
        if not re.fullmatch(f"i{ID}", instance_id):
            raise Refusal("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
        life = self.instances.get(instance_id)
        if life is None or life.age() < self.context.timing.found_by_id:
            raise Refusal("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
        return life

    def volume(self, volume_id: str) -> VolumeLife:
        if not re.fullmatch(f"vol{ID}", volume_id):
            raise invalid(f"Value ({volume_id}) for parameter volumeId is invalid. Expected: 'vol-...'.")
        life = self.volumes.get(volume_id)
        if life is None:
            raise Refusal("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
        return life

    def image(self, image_id: str) -> CorrectedAmi:
        if not re.fullmatch(f"ami{ID}", image_id):
            raise Refusal("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')
        if image_id in self.backend.deleted_amis:
            raise Refusal("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")
        image: CorrectedAmi | None = self.backend.amis.get(image_id)
        if image is None:
            raise Refusal("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        return image

    def zones(self) -> list[str]:
        return [zone.name for zone in self.backend.describe_availability_zones()]

    def data_volumes(self, life: InstanceLife) -> list[VolumeLife]:
        """What is attached to an instance besides its root."""
        blocks = life.instance.block_device_mapping.values()
        lives = [self.volumes[block.volume_id] for block in blocks]
        return [volume for volume in lives if not volume.is_root]

    @contextmanager
    def only_found(self, *, by_filter: bool) -> Iterator[None]:
        """EC2 is eventually consistent: for a while a listing lacks new instances."""
        timing = self.context.timing
        least = timing.found_by_filter if by_filter else timing.found_by_id
        young = {life.reservation.id for life in self.instances.values() if life.age() < least}
        everything = self.backend.reservations
        self.backend.reservations = {k: v for k, v in everything.items() if k not in young}
        try:
            yield
        finally:
            self.backend.reservations = everything

    def _forget(self, life: InstanceLife) -> None:
        self.past.append(self.instances.pop(life.id))
        life.reservation.instances.remove(life.instance)
        if not life.reservation.instances:
            del self.backend.reservations[life.reservation.id]

    def _drop(self, volume: VolumeLife) -> None:
        del self.volumes[volume.id]
        if not volume.is_root:
            self.context.machines.delete_volume(volume.id)
