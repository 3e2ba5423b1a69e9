"""How long things take in EC2, in seconds."""

from dataclasses import dataclass


@dataclass
class Timing:
    """Quick enough for tests, but every state that EC2 goes through is seen.

    The machine behind an instance has a say too: an instance is not running
    before its machine is, nor a volume attached before the machine has it.
    """

    pending: float = 0.5
    shutting_down: float = 0.3
    stopping: float = 0.3
    # A terminated instance stays listed for about an hour.
    forgotten: float = 3600
    # A new instance is found by its id, and later by its tags and other filters.
    found_by_id: float = 0.1
    found_by_filter: float = 0.3
    creating: float = 0.2
    deleting: float = 0.1
    attaching: float = 0.2
    detaching: float = 0.2
    modifying: float = 0.3
    optimizing: float = 0.6
    imaging: float = 0.5
    snapshotting: float = 0.3


# What a person sees who watches EC2: for tests of patience with a clock put forward.
AS_IN_EC2 = Timing(
    pending=20,
    shutting_down=30,
    stopping=30,
    found_by_id=2,
    found_by_filter=5,
    creating=3,
    deleting=2,
    attaching=4,
    detaching=6,
    modifying=20,
    optimizing=3600,
    imaging=180,
    snapshotting=120,
)
