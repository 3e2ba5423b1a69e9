"""Every point at which a command can be killed or EC2 can fail, counted from a run in which nothing happens."""

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from checks.lab.ec2.ec2 import Ec2
from checks.lab.ec2.faults import Step
from checks.lab.ec2.instance_life import InstanceLife

# The SDK repeats what fails like this; the other is final.
PASSING = "InternalError"
FINAL = "OperationNotPermitted"
T = TypeVar("T")


@dataclass(frozen=True)
class Healthy:
    """What a command does when nothing happens: its steps in EC2, and what it says on stderr."""

    steps: list[str]
    notes: list[str]

    def kills(self) -> list["Kill"]:
        return [
            *(Kill("asked", number, action) for number, action in enumerate(self.steps, 1)),
            *(Kill("done", number, action) for number, action in enumerate(self.steps, 1)),
            *(Kill("said", number, note) for number, note in enumerate(self.notes, 1)),
        ]

    def troubles(self) -> list["Trouble"]:
        kinds = ["fails and passes", "fails", "fails for ever", "reply is lost"]
        return [Trouble(kind, n, action) for kind in kinds for n, action in enumerate(self.steps, 1)]


@dataclass(frozen=True)
class Kill:
    """A step was asked for and is not done, or is done and not answered; or a line was said."""

    when: str
    number: int
    what: str

    def arm(self, ec2: Ec2, kill: Callable[[], None]) -> None:
        if self.when != "said":
            ec2.faults.at(self.number, kill, done=self.when == "done")


@dataclass(frozen=True)
class Trouble:
    """What happens to a step in EC2."""

    kind: str
    number: int
    action: str

    @property
    def passes(self) -> bool:
        """Whether the command must succeed all the same."""
        return self.kind in ("fails and passes", "reply is lost")

    def arm(self, ec2: Ec2) -> None:
        step = Step(self.number, onwards=self.kind == "fails for ever")
        if self.kind == "reply is lost":
            ec2.faults.lose_reply("*", when=step)
        else:
            code = PASSING if self.passes else FINAL
            ec2.faults.fail("*", code, times=None if self.kind == "fails for ever" else 1, when=step)


class Victim(Future[Callable[[], None]]):
    """A process that will be there by the time when it is to be killed."""

    def kill(self) -> None:
        self.result(60)()


def overlaps(lives: Sequence[InstanceLife]) -> list[tuple[str, str]]:
    """Instances that lived while another did."""
    ordered = sorted(lives, key=lambda life: life.launched)
    pairs = zip(ordered, ordered[1:], strict=False)
    return [(a.id, b.id) for a, b in pairs if a.ended is None or a.ended > b.launched]


def assert_clear(code: int, said: str, running: list[str]) -> None:
    """An error with what to do, and with every instance that may still run."""
    assert "error: " in said and "help: " in said, said
    assert code in (1, 6), said
    for instance in running:
        assert code == 6 and instance in said and "aws ec2 terminate-instances" in said, said


def sample(points: Sequence[T], number: int) -> list[T]:
    """Some of them, in the order in which they come, chosen by a seed that is printed."""
    seed = os.environ.get("DORMOUSE_LAB_SEED") or str(random.randrange(10**9))
    print(f"run again with DORMOUSE_LAB_SEED={seed}")
    chosen = random.Random(seed).sample(range(len(points)), min(number, len(points)))
    return [points[index] for index in sorted(chosen)]
