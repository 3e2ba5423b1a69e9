"""A guest in QEMU: one process, controlled over QMP."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from checks.lab import process
from checks.lab.agent import Agent
from checks.lab.backend import Wiring
from checks.lab.disk import Disk
from checks.lab.image import Image
from checks.lab.local_socket import connect
from checks.lab.qemu import command_line
from checks.lab.qemu.qmp import Qmp, QmpError

RESTART_TIMEOUT = 120


class QemuGuest:
    """Its disks sit on the ports of an emulated PCI Express root."""

    def __init__(self, image: Image, wiring: Wiring) -> None:
        for path in (command_line.control(wiring), command_line.agent(wiring)):
            path.unlink(missing_ok=True)
        argv = wiring.inside(command_line.argv(image, wiring))
        with wiring.log.open("ab") as log:
            self.program: subprocess.Popen[bytes] = process.start(argv, stdout=log, stderr=log)
        self.qmp = Qmp(command_line.control(wiring))
        self.agent = Agent(connect(command_line.agent(wiring), timeout=10))
        self._root = wiring.root
        self._ports: dict[str, int] = {}

    @property
    def is_alive(self) -> bool:
        return self.program.poll() is None

    def let_run(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self.qmp("query-status")["status"] == "inmigrate":
            if time.monotonic() > deadline:
                raise QmpError("the saved state is not read in time")
            time.sleep(0.02)
        self.qmp("cont")

    def attach(self, disk: Disk) -> None:
        serial = disk.serial
        port = next(n for n in range(command_line.PORTS) if n not in self._ports.values())
        file = {"driver": "file", "filename": str(disk.path)}
        cache = {"direct": False, "no-flush": True}
        node = f"node-{serial}"
        self.qmp("blockdev-add", driver="raw", node_name=node, file=file, cache=cache)
        plugged = {"driver": "virtio-blk-pci", "id": f"disk-{serial}", "bus": f"port{port}"}
        self.qmp("device_add", **plugged, drive=node, serial=serial)
        self._ports[serial] = port

    def detach(self, disk: Disk) -> None:
        """QEMU reports parts first, then the device itself."""
        self.qmp("device_del", id=f"disk-{disk.serial}")
        self.qmp.wait_event("DEVICE_DELETED", 30, device=f"disk-{disk.serial}")
        self._forget_node(f"node-{disk.serial}")
        del self._ports[disk.serial]

    def has(self, disk: Disk) -> bool:
        return disk.serial in self._ports

    def grow(self, disk: Disk, size: int) -> None:
        self.qmp("block_resize", node_name=f"node-{disk.serial}", size=size)

    def reset(self) -> None:
        self.qmp.forget_events()
        self.qmp("system_reset")
        self.qmp.wait_event("RESET", RESTART_TIMEOUT)

    def reboot(self, ask: Callable[[], object]) -> None:
        self.qmp.forget_events()
        ask()
        self.qmp.wait_event("RESET", RESTART_TIMEOUT)

    def halt(self, ask: Callable[[], object]) -> None:
        self.qmp("set-action", reboot="shutdown", shutdown="pause")
        ask()
        self.qmp.wait_event("SHUTDOWN", RESTART_TIMEOUT)
        self.qmp("set-action", reboot="reset", shutdown="poweroff")

    def go_on(self) -> None:
        self.qmp.forget_events()
        self.qmp("system_reset")
        self.qmp("cont")
        self.qmp.wait_event("RESET", RESTART_TIMEOUT)

    def pause(self) -> None:
        self.qmp("stop")

    def unpause(self) -> None:
        self.qmp("cont")

    def freeze_root(self, spare: Path) -> tuple[Path, Path]:
        """The guest goes on in a new overlay."""
        target = {"snapshot_file": str(spare), "format": "qcow2"}
        self.qmp("blockdev-snapshot-sync", device="root", **target)
        frozen, self._root = self._root, spare
        return frozen, spare

    def kill(self) -> None:
        self.program.kill()

    def close(self) -> None:
        self.qmp.close()
        self.agent.close()
        self.program.kill()
        self.program.wait()

    def _forget_node(self, node: str) -> None:
        """Closes the disk's file; QEMU may hold it for a moment longer."""
        for _ in range(100):
            try:
                self.qmp("blockdev-del", node_name=node)
                return
            except QmpError:
                time.sleep(0.02)
        self.qmp("blockdev-del", node_name=node)
