"""A network of its own for each lab: a namespace with a bridge and taps.

Nothing in it is connected to anything outside, so the addresses are fixed and
two labs at once cannot meet.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from checks.lab import owner, process

CONTROLLER = "10.77.0.1"
PREFIX_LENGTH = 24
BRIDGE = "br0"
# A bridge without an address of its own takes the lowest of its ports', which changes as machines
# come and go; the others then send to the old one until their neighbour tables expire.
BRIDGE_HARDWARE = "52:54:00:77:ff:01"


class Network:
    """A namespace with a bridge that has the controller's address."""

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self) -> None:
        process.run(["ip", "netns", "add", self.name])
        self.ip("link", "set", "lo", "up")
        self.ip("link", "add", BRIDGE, "address", BRIDGE_HARDWARE, "type", "bridge")
        self.ip("link", "set", BRIDGE, "up")
        self.add_address(CONTROLLER)

    def close(self) -> None:
        owner.remove_namespace(self.name)

    def add_address(self, address: str) -> None:
        """Gives the controller another address, such as a metadata service's."""
        self.ip("address", "add", f"{address}/{PREFIX_LENGTH}", "dev", BRIDGE)

    def add_tap(self, machine: str) -> str:
        """Makes the cable of one machine and plugs it into the bridge."""
        tap = f"tap-{machine}"[:15]
        self.ip("tuntap", "add", tap, "mode", "tap")
        self.ip("link", "set", tap, "master", BRIDGE)
        self.ip("link", "set", tap, "up")
        return tap

    def remove_tap(self, tap: str) -> None:
        self.ip("link", "delete", tap)

    def isolate(self, tap: str, isolated: bool) -> None:
        """Isolated taps reach the controller, but not each other."""
        state = "on" if isolated else "off"
        process.run(self.inside(["bridge", "link", "set", "dev", tap, "isolated", state]))

    def hardware(self) -> str:
        """The controller's address on the wire."""
        shown = process.run(["ip", "-netns", self.name, "-json", "link", "show", BRIDGE])
        address: str = json.loads(shown.stdout)[0]["address"]
        return address

    def sent(self, tap: str) -> int:
        """How many bytes the machine at a tap has sent: what the tap received."""
        shown = process.run(["ip", "-netns", self.name, "-json", "-stats", "link", "show", tap])
        count: int = json.loads(shown.stdout)[0]["stats64"]["rx"]["bytes"]
        return count

    def inside(self, argv: Sequence[str]) -> list[str]:
        """A command line that runs in this network."""
        return ["nsenter", f"--net={owner.NAMESPACES / self.name}", "--", *argv]

    def ip(self, *arguments: str) -> None:
        process.run(["ip", "-netns", self.name, *arguments])


@contextmanager
def opened(name: str) -> Iterator[Network]:
    """A network that is gone afterwards, with all that runs in it."""
    network = Network(name)
    try:
        network.open()
        yield network
    finally:
        network.close()
