"""One ModifyVolume: modifying, then optimizing (the new size is there), then completed."""

from dataclasses import dataclass
from typing import Any

from checks.lab.ec2.context import Context
from checks.lab.ec2.corrected import CorrectedModification, CorrectedVolume

FIELDS = ("size", "volume_type", "iops", "throughput")
Values = dict[str, Any]


@dataclass
class Modification:
    """What becomes of a volume. moto did it all at once; `begin` takes that back."""

    context: Context
    volume: CorrectedVolume
    target: Values
    shown: CorrectedModification
    begun: float

    @classmethod
    def begin(cls, context: Context, volume: CorrectedVolume, original: Values) -> "Modification":
        shown = volume.modifications[-1]
        shown.__class__ = CorrectedModification
        # DescribeVolumesModifications knows the latest one only.
        volume.modifications = [shown]
        target = values(volume)
        for name in FIELDS:
            setattr(shown, f"original_{name}", original[name])
            setattr(shown, f"target_{name}", target[name])
            setattr(volume, name, original[name])
        shown.start_time = context.clock.date()
        shown.end_time = None  # type: ignore[assignment]
        return cls(context, volume, target, shown, context.clock.now())  # type: ignore[arg-type]

    @property
    def is_under_way(self) -> bool:
        return self.shown.modification_state != "completed"

    def tick(self) -> None:
        timing = self.context.timing
        optimized = self.context.clock.now() - self.begun - timing.modifying
        if self.shown.modification_state == "modifying" and optimized >= 0:
            self._apply()
        if self.shown.modification_state == "optimizing":
            self.shown.progress = min(99, int(100 * optimized / (timing.optimizing or 1)))
            if optimized >= timing.optimizing:
                self._complete()

    def _apply(self) -> None:
        self.shown.modification_state = "optimizing"
        for name in FIELDS:
            setattr(self.volume, name, self.target[name])
        self.context.machines.grow(self.volume.id, self.target["size"])

    def _complete(self) -> None:
        self.shown.modification_state = "completed"
        self.shown.progress = 100
        self.shown.end_time = self.context.clock.date()


def values(volume: CorrectedVolume) -> Values:
    return {name: getattr(volume, name) for name in FIELDS}
