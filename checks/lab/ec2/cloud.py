"""EC2 with real machines behind it, in a lab's network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from checks.lab.ec2 import ec2
from checks.lab.ec2.clock import Clock
from checks.lab.ec2.ec2 import Ec2
from checks.lab.ec2.instance_vm import InstanceVm
from checks.lab.ec2.timing import Timing
from checks.lab.ec2.virtual import Introduce, VirtualMachines, nothing_to_say
from checks.lab.network import Network
from checks.lab.vm import Vm


@dataclass
class Cloud:
    """What a test works with: the API's side, and the machines'."""

    ec2: Ec2
    machines: VirtualMachines

    def vm(self, instance_id: str) -> Vm:
        return self.machines.vm(instance_id)


@contextmanager
def opened(
    network: Network,
    folder: Path,
    key: Path,
    *,
    introduce: Introduce = nothing_to_say,
    saves_images: bool = False,
    kind: type[InstanceVm] = InstanceVm,
    clock: Clock | None = None,
    timing: Timing | None = None,
) -> Iterator[Cloud]:
    """A cloud whose machines end with it; its files lie in a new folder."""
    machines = VirtualMachines(network, folder, key, introduce=introduce, saves_images=saves_images, kind=kind)
    with ec2.opened(machines, clock=clock, timing=timing, network=network) as opened:
        yield Cloud(opened, machines)
