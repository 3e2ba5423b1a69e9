"""moto's resources with the states that EC2 gives them.

moto has no place to say which classes it makes, so an object is given its
corrected class after moto has made it.
"""

from typing import Any

from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_block_store import Snapshot, Volume, VolumeModification


class CorrectedVolume(Volume):
    """A volume that takes time to be made and to go."""

    phase: str

    @property
    def status(self) -> str:
        return self.phase or ("in-use" if self.attachment else "available")


class CorrectedModification(VolumeModification):
    """A modification that goes through EC2's states."""

    modification_state = "modifying"
    progress = 0
    status_message = ""


class CorrectedSnapshot(Snapshot):
    """An EBS snapshot that takes time, of a volume that may be gone by then."""

    size: int
    progress = "0%"

    @property
    def volume_size(self) -> int:
        return self.size


class CorrectedAmi(Ami):
    """An image with its true disks."""

    mappings: list[dict[str, Any]]
    ena_support = True
    imds_support: str | None = None
    deprecation_time: str | None = None

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return self.mappings
