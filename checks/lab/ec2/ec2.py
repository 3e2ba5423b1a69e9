"""An EC2 of one's own: what a test starts, troubles and asks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from socket import socket

from checks.lab import owner
from checks.lab.ec2 import namespace
from checks.lab.ec2.calls import Calls
from checks.lab.ec2.clock import Clock
from checks.lab.ec2.faults import Faults
from checks.lab.ec2.front import Front
from checks.lab.ec2.iam.authority import Authority
from checks.lab.ec2.imaginary import Imaginary
from checks.lab.ec2.instance_life import BY_SPOT, InstanceLife
from checks.lab.ec2.machines import Machines
from checks.lab.ec2.metadata import Metadata
from checks.lab.ec2.region import Region
from checks.lab.ec2.server import repeating, serving
from checks.lab.ec2.timing import Timing
from checks.lab.network import BRIDGE, CONTROLLER, PREFIX_LENGTH, Network

REGION = "us-west-2"
ZONE = "us-west-2d"
METADATA = "169.254.169.254"
TICK = 0.1
# The default access key. Without a policy it may do everything.
ACCESS_KEY = "AKIALAB"


class Ec2:
    """A running EC2. `faults` makes trouble, `calls` tells what was asked of it."""

    def __init__(self, front: Front, endpoint: str, metadata_endpoint: str, observer: str) -> None:
        self.endpoint = endpoint
        self.metadata_endpoint = metadata_endpoint
        # For a test's own questions, from outside the lab's network: they are
        # not on record, and no fault or limit hits them.
        self.observer_endpoint = observer
        self.machines = front.machines
        self.clock: Clock = front.clock
        self.timing: Timing = front.timing
        self.faults: Faults = front.faults
        self.calls: Calls = front.calls
        self.authority: Authority = front.authority
        self._front = front

    def allow(self, access_key: str, *policies: str) -> None:
        """From now on, a key may do what these policies allow, and nothing else."""
        with self._front.lock:
            self.authority.allow(access_key, *policies)

    @property
    def environment(self) -> dict[str, str]:
        """What a client of AWS needs to speak to this EC2 and no other."""
        return self.environment_of(ACCESS_KEY)

    def environment_of(self, access_key: str) -> dict[str, str]:
        """The same for a caller with a key of its own."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            # boto3 knows this name only.
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": "lab",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def region(self, name: str = REGION) -> Region:
        return self._front.region(name)

    def instances(self) -> list[InstanceLife]:
        """All instances that ever were, as of now."""
        regions = self._front.advance()
        return [life for region in regions for life in (*region.past, *region.instances.values())]

    def alive(self) -> list[InstanceLife]:
        """The instances that are not terminated."""
        return [life for life in self.instances() if not life.is_over]

    def instance_seconds(self) -> float:
        """What would be paid for: the time of all instances from launch to end."""
        return sum(life.seconds() for life in self.instances())

    def interrupt_spot(self, instance_id: str) -> None:
        """EC2 takes a spot instance back."""
        with self._front.lock:
            next(life for life in self.alive() if life.id == instance_id).terminate(BY_SPOT)


@contextmanager
def opened(
    machines: Machines | None = None,
    *,
    clock: Clock | None = None,
    timing: Timing | None = None,
    network: Network | None = None,
) -> Iterator[Ec2]:
    """An EC2 in a lab's network, or on this computer's own loopback."""
    front = Front(machines or Imaginary(), clock or Clock(), timing or Timing())
    with ExitStack() as stack:
        stack.callback(front.machines.close)
        api, metadata, observer = stack.enter_context(listeners(network))
        stack.enter_context(serving(api, front))
        stack.enter_context(serving(metadata, Metadata(front)))
        stack.enter_context(serving(observer, front.observed))
        stack.enter_context(repeating(front.advance, TICK))
        yield Ec2(front, url(api), url(metadata), url(observer))


@contextmanager
def listeners(network: Network | None) -> Iterator[list[socket]]:
    """For the API, the metadata service, and the test itself.

    In a lab's network, the API has the controller's address, and the metadata
    service that of EC2.
    """
    here = [namespace.listen("127.0.0.1", 0)]
    if network is None:
        yield [namespace.listen("127.0.0.1", 0), namespace.listen("127.0.0.1", 0), *here]
        return
    network.add_address(METADATA)
    inside = owner.NAMESPACES / network.name
    try:
        yield [namespace.listen(CONTROLLER, 0, inside), namespace.listen(METADATA, 80, inside), *here]
    finally:
        network.ip("address", "delete", f"{METADATA}/{PREFIX_LENGTH}", "dev", BRIDGE)


def url(listener: socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"
