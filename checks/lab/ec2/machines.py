"""What must exist behind the API: machines, disks and images."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Power(Enum):
    """STARTING until the guest's system is up; OFF also after it has powered itself off."""

    STARTING = "starting"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True)
class Launch:
    """What a new instance starts with. User data is raw, as the guest will read it."""

    instance_id: str
    image_id: str
    instance_type: str
    user_data: bytes


class Machines(Protocol):
    """All methods return at once; the API asks again until a thing has happened.

    The API calls them one at a time. Volume and image ids that were never
    created here are those of public images, which all are one disk.
    """

    def start(self, launch: Launch) -> str:
        """Starts an instance on a copy of its image's disk; returns its address."""

    def start_again(self, instance_id: str) -> None:
        """Starts a stopped instance on the disk that it had."""

    def press_power_button(self, instance_id: str) -> None:
        """Asks the guest to shut down in good order."""

    def kill(self, instance_id: str) -> None:
        """Cuts an instance's power."""

    def forget(self, instance_id: str) -> None:
        """Removes the root disk of an instance that is off for good."""

    def power(self, instance_id: str) -> Power: ...

    def console(self, instance_id: str) -> bytes:
        """What the guest wrote to its console since it was started."""

    def create_volume(self, volume_id: str, size_gib: int, snapshot_id: str | None) -> None: ...

    def delete_volume(self, volume_id: str) -> None: ...

    def grow(self, volume_id: str, size_gib: int) -> None: ...

    def attach(self, volume_id: str, instance_id: str) -> None: ...

    def detach(self, volume_id: str, instance_id: str) -> None: ...

    def is_attached(self, volume_id: str) -> bool:
        """Whether a running instance has the volume at this moment."""

    def copy_disk(self, instance_id: str, image_id: str, *, reboot: bool) -> None:
        """Begins to make an image of an instance's root disk."""

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Begins to copy a volume as it is now."""

    def is_copied(self, copy_id: str) -> bool:
        """Whether an image or an EBS snapshot is complete; raises if it failed."""

    def close(self) -> None: ...
