"""A machine that boots from a disk of its own as an instance of EC2, without EC2's API.

It finds its address in its kernel's arguments and asks 169.254.169.254 for
everything else, as it does behind the API. It can also wake from the lab's saved
state: then it does what it does at boot when it is told its address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.lab import process
from checks.lab.backend import SavedState, Wiring
from checks.lab.image import Image
from checks.lab.network import PREFIX_LENGTH, Network
from checks.lab.process import Result
from checks.lab.vm import BOOT_TIMEOUT, Vm


@dataclass(frozen=True)
class Login:
    """Who enters a machine by its own sshd, as dormouse does, and the key that it must have."""

    user: str
    identity: Path
    host_key: str
    port: int = 22


class Instance(Vm):
    """Its disk stays when it ends, and so do all changes to it."""

    is_instance = True

    def __init__(self, name: str, number: int, network: Network, folder: Path, key: Path) -> None:
        super().__init__(name, number, network, folder, key)
        self.disk = folder / "root.img"

    def install(self, base: Path) -> None:
        """Gives it a copy of a disk: of the plain image, or of another instance."""
        process.run(["cp", "--sparse=always", "--reflink=auto", str(base), str(self.disk)])

    def boot(self, image: Image) -> None:
        """Starts it and returns at once."""
        self.power_on(image, wake=False)
        self.guest.let_run(60)

    def wait_lab(self) -> None:
        """Waits for the lab's own way in."""
        self._introduce(BOOT_TIMEOUT)

    def enter(self, login: Login, argv: Sequence[str], *, timeout: float = 60) -> Result:
        """Runs a command through the sshd that the configuration set up."""
        return process.run(self.ssh(login, argv), timeout=timeout, check=False)

    def ssh(self, login: Login, argv: Sequence[str]) -> list[str]:
        known = self.folder / f"known_hosts-{login.user}"
        known.write_text(f"instance {login.host_key}\n")
        options = {
            "HostKeyAlias": "instance",
            "UserKnownHostsFile": str(known),
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "ConnectTimeout": "5",
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        target = ["-p", str(login.port), "-i", str(login.identity), f"{login.user}@{self.address}"]
        return self._network.inside(["ssh", "-F", "none", *flags, *target, "--", *argv])

    def wait_off(self, timeout: float = 120) -> None:
        """Waits until it has powered itself off."""
        assert self._guest is not None
        self._guest.program.wait(timeout)
        self.kill()

    def _wiring(self, image: Image, saved: SavedState | None) -> Wiring:
        if saved:
            return super()._wiring(image, saved)
        arguments = f"lab.ec2={self.address}/{PREFIX_LENGTH}"
        inside, place = self._network.inside, self._place()
        return Wiring(self.folder, self.tap, self.disk, inside, keep_root=True, arguments=arguments, number=place)
