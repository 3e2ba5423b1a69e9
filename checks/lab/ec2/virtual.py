"""Virtual machines behind the API: what EC2 says is running, runs."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from checks.lab import backend
from checks.lab.ec2.disks import Base, Disks
from checks.lab.ec2.hands import Hands
from checks.lab.ec2.instance_vm import InstanceVm
from checks.lab.ec2.machines import Launch, Power
from checks.lab.ec2.volumes import GIB, Volumes
from checks.lab.network import Network
from checks.lab.vm import Vm

# The lab's other machines have lower numbers. An instance never gets the address of the one before.
NUMBERS = range(100, 250)
Introduce = Callable[[Vm, Launch], None]


def nothing_to_say(vm: Vm, launch: Launch) -> None:
    """A guest that gets to know no more than every machine of the lab: name, address, clock."""


class VirtualMachines:
    """The `Machines` of the lab: guests of its backend, and sparse files.

    `introduce` is what a guest is told right after it has started, before EC2
    says `running`: the place to start what applies user data. It must be short.

    `saves_images` boots every new image once before it is available, which
    takes the time of a boot; then its instances wake in seconds, as those of
    the public images do. What is to happen at their boot must be started by
    `introduce`, because the boot is over when they wake.
    """

    def __init__(
        self,
        network: Network,
        folder: Path,
        key: Path,
        *,
        introduce: Introduce = nothing_to_say,
        saves_images: bool = False,
        kind: type[InstanceVm] = InstanceVm,
    ) -> None:
        self._past = folder / "past"
        self._past.mkdir(parents=True)
        self._network = network
        self._folder = folder
        self._key = key
        self._introduce = introduce
        self._saves_images = saves_images
        self._kind = kind
        self._disks = Disks(folder)
        self.volumes = Volumes(folder)
        self._hands: dict[str, Hands] = {}
        self._leaving: list[Hands] = []
        self._launched = 0
        self._copies: dict[str, Future[None]] = {}
        self._copier = ThreadPoolExecutor(1, "copier")

    def vm(self, instance_id: str) -> Vm:
        """The machine itself, for tests that look into it or cut its network."""
        return self._hands[instance_id].vm

    def image_disk(self, image_id: str) -> Path:
        """The disk of an image that CreateImage made, for tests that search it."""
        return self._disks.images[image_id].disk

    def start(self, launch: Launch) -> str:
        base = self._disks.images.get(launch.image_id)
        number = self._free_number()
        vm = self._kind(number, self._network, self._folder, self._key, self._disks, base)
        self._hands[launch.instance_id] = Hands(vm, partial(self._introduce, vm, launch))
        self._hands[launch.instance_id].boot(backend.get().image())
        return vm.address

    def start_again(self, instance_id: str) -> None:
        self._hands[instance_id].boot(backend.get().image())

    def press_power_button(self, instance_id: str) -> None:
        vm = self._hands[instance_id].vm
        self._hands[instance_id].do(lambda: vm.run(["systemctl", "--no-block", "poweroff"]))

    def kill(self, instance_id: str) -> None:
        self._hands[instance_id].vm.cut_power()

    def forget(self, instance_id: str) -> None:
        """Makes place for another machine; the logs of this one stay."""
        hands = self._hands.pop(instance_id)
        self._leaving.append(hands)
        hands.let_go(partial(self._clear, hands.vm, self._past / instance_id))

    def power(self, instance_id: str) -> Power:
        return self._hands[instance_id].power()

    def console(self, instance_id: str) -> bytes:
        hands = self._hands.get(instance_id)
        log = (hands.vm.folder if hands else self._past / instance_id) / "console.log"
        return log.read_bytes() if log.exists() else b""

    def create_volume(self, volume_id: str, size_gib: int, snapshot_id: str | None) -> None:
        self.volumes.create(volume_id, size_gib, snapshot_id)

    def delete_volume(self, volume_id: str) -> None:
        self.volumes.delete(volume_id)

    def grow(self, volume_id: str, size_gib: int) -> None:
        self.volumes.resize(volume_id, size_gib)
        disk = self.volumes.disk(volume_id)
        if holder := self._holder(volume_id):
            holder.do(lambda: holder.vm.grow(disk, size_gib * GIB))

    def attach(self, volume_id: str, instance_id: str) -> None:
        hands, disk = self._hands[instance_id], self.volumes.disk(volume_id)
        hands.do(lambda: hands.vm.attach(disk))

    def detach(self, volume_id: str, instance_id: str) -> None:
        hands, disk = self._hands[instance_id], self.volumes.disk(volume_id)
        hands.do(lambda: hands.vm.detach(disk))

    def is_attached(self, volume_id: str) -> bool:
        return self._holder(volume_id) is not None

    def copy_disk(self, instance_id: str, image_id: str, *, reboot: bool) -> None:
        hands = self._hands[instance_id]
        self._copies[image_id] = self._copier.submit(self._make_image, hands, image_id, reboot)

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        copy = partial(self.volumes.snapshot, volume_id, snapshot_id)
        holder = self._holder(volume_id)
        if holder:
            self._copies[snapshot_id] = holder.do(lambda: holder.vm.copied_meanwhile(copy))
        else:
            self._copies[snapshot_id] = self._copier.submit(copy)

    def is_copied(self, copy_id: str) -> bool:
        copy = self._copies[copy_id]
        if copy.done():
            copy.result()
        return copy.done()

    def close(self) -> None:
        """Ends all machines at once; the folder is the lab's to remove."""
        for instance_id in list(self._hands):
            self.forget(instance_id)
        for hands in self._leaving:
            hands.wait()
        self._copier.shutdown()

    def _make_image(self, hands: Hands, image_id: str, reboot: bool) -> None:
        frozen: list[Path] = []
        hands.do(lambda: frozen.append(hands.vm.freeze(reboot=reboot))).result()
        base = Base(frozen[0])
        self._disks.images[image_id] = base
        if self._saves_images:
            chosen, new_root = backend.get(), partial(self._disks.new_root, base.disk, image_id)
            base.state = chosen.save(chosen.image(), new_root, base.disk.with_suffix(".memory"))

    def _clear(self, vm: InstanceVm, past: Path) -> None:
        self._network.remove_tap(vm.tap)
        if vm.root:
            self._disks.remove(vm.root)
        vm.folder.rename(past)

    def _free_number(self) -> int:
        used = {hands.vm.number for hands in self._hands.values()}
        used |= {hands.vm.number for hands in self._leaving if hands.vm.folder.exists()}
        while (number := NUMBERS[self._launched % len(NUMBERS)]) in used:
            self._launched += 1
        self._launched += 1
        return number

    def _holder(self, volume_id: str) -> Hands | None:
        disk = self.volumes.disk(volume_id)
        return next((hands for hands in self._hands.values() if hands.vm.has(disk)), None)
