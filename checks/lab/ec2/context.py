"""What every part of one region works with."""

from dataclasses import dataclass
from typing import Any

from checks.lab.ec2.clock import Clock
from checks.lab.ec2.machines import Machines
from checks.lab.ec2.timing import Timing


@dataclass
class Context:
    """The region's name, its resources in moto, and what is behind them."""

    account: str
    region: str
    backend: Any
    clock: Clock
    timing: Timing
    machines: Machines
