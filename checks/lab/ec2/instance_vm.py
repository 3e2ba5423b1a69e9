"""The machine behind an instance: one whose root disk stays while the instance exists."""

import threading
from collections.abc import Callable
from pathlib import Path

from checks.lab import machine, process, saved_state
from checks.lab.agent import Agent
from checks.lab.ec2.disks import Base, Disks
from checks.lab.ec2.image_state import ImageState, on_overlay
from checks.lab.image import Image
from checks.lab.machine import Backends
from checks.lab.network import Network
from checks.lab.qmp import Qmp
from checks.lab.remote import Remote
from checks.lab.vm import Disk, MachineEnded, Vm

SHUTDOWN_TIMEOUT = 120
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
        """Starts QEMU on the overlay. A machine that was cut stays off, whoever retries."""
        if self.is_cut:
            raise MachineEnded(f"{self.name}: its power was cut")
        self._image = image
        backends = self._backends(image, wake)
        argv = self._network.inside(on_overlay(machine.argv(image, backends), backends.root))
        for socket in (backends.qmp, backends.agent):
            socket.unlink(missing_ok=True)
        with (self.folder / "qemu.log").open("ab") as log:
            self._qemu = process.start(argv, stdout=log, stderr=log)
        if self.is_cut:
            # It was cut between the first look and the start.
            self._qemu.kill()
        self._qmp = Qmp(backends.qmp)
        self._agent = Agent(backends.agent)
        self._ports.clear()

    def boot(self, image: Image) -> None:
        """Starts the machine and returns when its guest takes commands.

        With a saved state it wakes in seconds. A disk that was written to has to
        boot, as no saved memory belongs to it.
        """
        wakes = self.root is None and not (self._base and self._base.state is None)
        self.kill()
        self.power_on(image, wake=wakes)
        if wakes:
            self.wait_ready()
        else:
            self._wake(saved_state.BOOT_TIMEOUT)

    @property
    def is_cut(self) -> bool:
        return self._remote.is_cut

    def cut_power(self) -> None:
        """Ends QEMU for good, from any thread; what waits for the guest elsewhere then fails."""
        self._remote.is_cut = True
        if self._qemu is not None:
            self._qemu.kill()
        # A connection into a guest that is gone would hang until it times out.
        self._remote.close()

    def freeze(self, *, reboot: bool) -> Path:
        """Makes the root disk an image: from now on, the machine writes to a new overlay.

        EC2 restarts an instance for that, unless told not to, so that the image
        holds file systems that were unmounted in good order.
        """
        assert self.root
        if not self.is_alive:
            return self._replace(self._disks.overlay(self.root, self.name))
        if not reboot:
            return self._replace(self._snapshot())
        self._halt()
        frozen = self._replace(self._snapshot())
        self.qmp.forget_events()
        self.qmp("system_reset")
        self.qmp("cont")
        self._restarted()
        return frozen

    def grow(self, disk: Disk, size: int) -> None:
        self.qmp("block_resize", node_name=f"node-{disk.serial}", size=size)

    def copied_meanwhile(self, copy: Callable[[], None]) -> None:
        """Holds the machine while its disk is copied: the copy is of one moment."""
        self.qmp("stop")
        try:
            copy()
        finally:
            self.qmp("cont")

    def _identity(self) -> str:
        return f"{super()._identity()}\n{EBS_NAMES.read_text()}"

    def _halt(self) -> None:
        """Has the guest shut down for a restart, and stops before it starts again."""
        self.qmp("set-action", reboot="shutdown", shutdown="pause")
        self.run(["systemctl", "--no-block", "reboot"])
        self.qmp.wait_event("SHUTDOWN", SHUTDOWN_TIMEOUT)
        self.qmp("set-action", reboot="reset", shutdown="poweroff")

    def _snapshot(self) -> Path:
        path = self._disks.new_path(self.name)
        target = {"snapshot_file": str(path), "format": "qcow2"}
        self.qmp("blockdev-snapshot-sync", device="root", **target)
        return path

    def _replace(self, overlay: Path) -> Path:
        assert self.root
        frozen, self.root = self.root, overlay
        return frozen

    def _backends(self, image: Image, wake: bool) -> Backends:
        state = self._saved(image) if wake else None
        if self.root is None:
            disk = self._base.disk if self._base else image.root
            self.root = self._disks.overlay(state.root if state else disk, self.name)
        memory = state.memory if state else None
        return Backends(self.folder, self.tap, self.root, keep_root=True, wake_from=memory)

    def _saved(self, image: Image) -> ImageState:
        if self._base and self._base.state:
            return self._base.state
        public = saved_state.get(image)
        return ImageState(public.root, public.memory)
