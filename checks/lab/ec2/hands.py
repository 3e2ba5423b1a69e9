"""Does what an instance's machine is told, in order, while the API goes on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from checks.lab.ec2.instance_vm import InstanceVm
from checks.lab.ec2.machines import Power
from checks.lab.image import Image


class Hands:
    """A thread for each machine.

    The kernel ends a program with the thread that started it, so this thread
    lives as long as its machine.
    """

    def __init__(self, vm: InstanceVm, introduce: Callable[[], None]) -> None:
        self.vm = vm
        self._introduce = introduce
        self._thread = ThreadPoolExecutor(1, vm.name)
        self._boot: Future[None] = Future()

    def boot(self, image: Image) -> None:
        self._boot = self.do(lambda: self._start(image))

    def power(self) -> Power:
        if self.vm.is_cut and not self.vm.is_alive:
            return Power.OFF
        if not self._boot.done():
            return Power.STARTING
        return Power.ON if self.vm.is_alive and not self._boot.exception() else Power.OFF

    def do(self, work: Callable[[], object]) -> Future[None]:
        """Puts some work in the queue. Its failure is shown unless the machine has ended."""
        return self._thread.submit(self._attempt, work)

    def let_go(self, cleanup: Callable[[], None]) -> None:
        """Closes what is open to a machine that is off, then ends the thread."""
        self.vm.cut_power()
        self._thread.submit(self.vm.kill)
        self._thread.submit(cleanup)
        self._thread.shutdown(wait=False)

    def wait(self) -> None:
        self._thread.shutdown()

    def _start(self, image: Image) -> None:
        self.vm.boot(image)
        self._introduce()

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            if self.vm.is_alive:
                print(f"lab: {self.vm.name}: {type(error).__name__}: {error}", flush=True)
            raise
