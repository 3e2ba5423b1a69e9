"""The machine behind an instance: one whose root disk stays while the instance exists."""

import threading
from collections.abc import Callable
from pathlib import Path

from checks.lab import backend
from checks.lab.backend import SavedState, Wiring
from checks.lab.disk import Disk
from checks.lab.ec2.disks import Base, Disks
from checks.lab.image import Image
from checks.lab.network import Network
from checks.lab.remote import Remote
from checks.lab.vm import BOOT_TIMEOUT, MachineEnded, Vm

EBS_NAMES = Path(__file__).parent / "guest" / "ebs-names"


class Cable(Remote):
    """The way into a machine; once it is cut, nobody tries to get in any more."""

    def __init__(self, network: Network, folder: Path, name: str, address: str, key: Path) -> None:
        super().__init__(network, folder, name, address, key)
        self.is_cut = False
        self._lock = threading.Lock()

    def close(self) -> None:
        """May be called by whoever cuts the power while the machine's own thread does it."""
        with self._lock:
            super().close()

    def _start_master(self) -> None:
        if self.is_cut:
            raise MachineEnded(f"{self.name}: its power was cut")
        super()._start_master()


class InstanceVm(Vm):
    """A machine on an overlay of the lab's image, or of one made by CreateImage."""

    def __init__(
        self, number: int, network: Network, folder: Path, key: Path, disks: Disks, base: Base | None
    ) -> None:
        name = f"ec2-{number}"
        super().__init__(name, number, network, folder / name, key)
        self._disks = disks
        self._base = base
        self._remote: Cable = Cable(network, self.folder, name, self.address, key)
        self.root: Path | None = None

    def power_on(self, image: Image, *, wake: bool = True) -> None:
        """A machine that was cut stays off, whatever retries."""
        if self.is_cut:
            raise MachineEnded(f"{self.name}: its power was cut")
        super().power_on(image, wake=wake)
        if self.is_cut and self._guest is not None:
            # It was cut between the first look and the start.
            self._guest.kill()

    def boot(self, image: Image) -> None:
        """Starts the machine and returns when its guest takes commands.

        With a saved state it wakes in seconds. A disk that was written to has to
        boot, as no saved memory belongs to it.
        """
        wakes = self.root is None and self._saved(image) is not None
        self.kill()
        self.power_on(image, wake=wakes)
        if wakes:
            self.wait_ready()
        else:
            self._boot(BOOT_TIMEOUT)

    @property
    def is_cut(self) -> bool:
        return self._remote.is_cut

    def cut_power(self) -> None:
        """Ends the guest for good, from any thread; what waits for it elsewhere then fails."""
        self._remote.is_cut = True
        if self._guest is not None:
            self._guest.kill()
        # A connection into a guest that is gone would hang until it times out.
        self._remote.close()

    def freeze(self, *, reboot: bool) -> Path:
        """Makes an image's disk of the root disk as it is now.

        EC2 restarts an instance for that, unless told not to, so that the image
        holds file systems that were unmounted in good order.
        """
        assert self.root
        spare = self._disks.new_path(self.name)
        if not self.is_alive:
            return self._goes_on(backend.get().frozen_copy(self.root, spare))
        if not reboot:
            return self._goes_on(self.guest.freeze_root(spare))
        self.guest.halt(lambda: self.run(["systemctl", "--no-block", "reboot"]))
        assert self._guest
        frozen = self._goes_on(self._guest.freeze_root(spare))
        self._guest.go_on()
        self._restarted()
        return frozen

    def grow(self, disk: Disk, size: int) -> None:
        self.guest.grow(disk, size)

    def copied_meanwhile(self, copy: Callable[[], None]) -> None:
        """Pauses the machine while its disk is copied: the copy is of one moment."""
        self.guest.pause()
        try:
            copy()
        finally:
            self.guest.unpause()

    def _identity(self) -> str:
        return f"{super()._identity()}\n{EBS_NAMES.read_text()}"

    def _goes_on(self, disks: tuple[Path, Path]) -> Path:
        frozen, self.root = disks
        return frozen

    def _wiring(self, image: Image, saved: SavedState | None) -> Wiring:
        if self.root is None:
            disk = self._base.disk if self._base else image.root
            self.root = self._disks.new_root(saved.root if saved else disk, self.name)
        inside, place = self._network.inside, self._place()
        return Wiring(self.folder, self.tap, self.root, inside, keep_root=True, wake_from=saved, number=place)

    def _saved(self, image: Image) -> SavedState | None:
        return self._base.state if self._base else super()._saved(image)
