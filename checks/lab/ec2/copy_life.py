"""Images and EBS snapshots: both are copies that take time."""

from checks.lab.ec2.context import Context
from checks.lab.ec2.corrected import CorrectedAmi, CorrectedSnapshot


class ImageLife:
    """An image of the user's own, from CreateImage until it is there."""

    def __init__(self, context: Context, image: CorrectedAmi) -> None:
        self.context = context
        self.image = image
        self.image.state = "pending"
        self._since = context.clock.now()

    @property
    def is_done(self) -> bool:
        return self.image.state != "pending"

    def tick(self) -> None:
        if self.context.clock.now() - self._since < self.context.timing.imaging:
            return
        try:
            if self.context.machines.is_copied(self.image.id):
                self.image.state = "available"
        except Exception as error:
            self.image.state = "failed"
            self.image.state_reason = {"Code": "Server.InternalError", "Message": str(error)}  # type: ignore[attr-defined]


class SnapshotLife:
    """An EBS snapshot, from CreateSnapshot until it is complete."""

    def __init__(self, context: Context, snapshot: CorrectedSnapshot) -> None:
        snapshot.size = snapshot.volume.size
        snapshot.__class__ = CorrectedSnapshot
        self.context = context
        self.snapshot = snapshot
        self.snapshot.status = "pending"
        self._since = context.clock.now()

    @property
    def is_done(self) -> bool:
        return self.snapshot.status != "pending"

    def tick(self) -> None:
        lasted = self.context.clock.now() - self._since
        due = self.context.timing.snapshotting
        self.snapshot.progress = f"{min(99, int(100 * lasted / (due or 1)))}%"
        if lasted >= due and self.context.machines.is_copied(self.snapshot.id):
            self.snapshot.status = "completed"
            self.snapshot.progress = "100%"
