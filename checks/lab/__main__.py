"""`python -m checks.lab`: build the image, run the tests, watch a cycle, or look around."""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from checks.lab import backend, bench_wake, demo, lab, soak
from checks.lab.process import CommandFailed
from checks.lab.signals import ended_by_terminate

HERE = Path(__file__).parent
# Labs side by side: much of a test is waiting, and an emulated machine takes a whole processor.
# tests/schedule.py says which tests stay together. `-n 0` is one lab.
WORKERS = {"uml": 4, "qemu": 2}
SCHEDULE = ["--dist", "loadscope", "-p", "checks.lab.tests.schedule"]
ON_UML = "not long and not qemu and not sample"
ON_QEMU = "not long and (qemu or sample)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    install = commands.add_parser("install", help="make the image of each backend, unless it is there; boots nothing")
    install.set_defaults(do=install_images)
    one = commands.add_parser("install-one", help="make the image of one backend, unless there is one")
    one.set_defaults(do=install_one)
    build = commands.add_parser("build", help="make the image of one backend, and save the state of a booted machine")
    build.set_defaults(do=build_image)
    whole = commands.add_parser("suite", help="run the tests on User Mode Linux, and on QEMU those that need it")
    whole.set_defaults(do=run_suite)
    test = commands.add_parser("test", help="run the tests; further arguments go to pytest")
    test.set_defaults(do=run_tests)
    watch = commands.add_parser("demo", help="show one whole backup cycle")
    watch.set_defaults(do=show_demo)
    bench = commands.add_parser("bench-wake", help="measure a wake and what a backup costs")
    bench.set_defaults(do=measure_wake)
    soaked = commands.add_parser("soak", help="run a schedule among faults, for an hour or --minutes", add_help=False)
    soaked.set_defaults(do=soak.run)
    shell = commands.add_parser("shell", help="start the machines and print how to enter them")
    shell.set_defaults(do=open_shell)
    arguments, rest = parser.parse_known_args()
    with ended_by_terminate():
        result: int = arguments.do(rest)
    return result


def install_images(_: list[str]) -> int:
    """QEMU's image first: much of its time, one processor builds modules and the other has nothing to do."""
    print(backend.known()["qemu"].image().path, flush=True)
    if reason := why_not_uml():
        print(reason, flush=True)
    return 0


def install_one(_: list[str]) -> int:
    """Whatever is there is ready first; User Mode Linux is the faster one to use."""
    if not any(each.is_built() for each in backend.known().values()) and (reason := why_not_uml()):
        print(reason, flush=True)
        backend.known()["qemu"].image()
    return 0


def why_not_uml() -> str:
    """Builds what User Mode Linux needs; says why that does not work, or nothing."""
    try:
        backend.known()["uml"].image()
    except (CommandFailed, OSError, SystemExit) as error:
        return f"lab: User Mode Linux cannot be built, so all tests run on QEMU: {error}"
    return ""


def build_image(_: list[str]) -> int:
    chosen = backend.get()
    chosen.saved(chosen.image())
    print(chosen.image().path)
    return 0


def run_suite(arguments: list[str]) -> int:
    """What `make test` runs of the lab. The second part also runs after a failure of the first."""
    if reason := why_not_uml():
        print(reason, flush=True)
        return pytest_on("qemu", ["-m", "not long", *arguments])
    codes = [pytest_on("uml", ["-m", ON_UML, *arguments]), pytest_on("qemu", ["-m", ON_QEMU, *arguments])]
    return max(codes)


def pytest_on(name: str, arguments: list[str]) -> int:
    print(f"lab: tests on {name}", flush=True)
    running = subprocess.Popen(pytest_argv(name, arguments), env={**os.environ, backend.CHOICE: name})
    try:
        return running.wait()
    finally:
        running.terminate()
        running.wait()


def pytest_argv(name: str, arguments: list[str]) -> list[str]:
    workers = ["-n", str(WORKERS[name]), *SCHEDULE]
    return [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini"), *workers, *arguments]


def run_tests(arguments: list[str]) -> int:
    """Becomes pytest, so that a signal reaches it and not a parent that waits."""
    print(f"lab: tests on {backend.get().name}", flush=True)
    os.execv(sys.executable, pytest_argv(backend.get().name, arguments))


def show_demo(_: list[str]) -> int:
    return demo.run()


def measure_wake(_: list[str]) -> int:
    return bench_wake.run()


def open_shell(_: list[str]) -> int:
    with lab.opened() as running:
        running.make_pools()
        for machine in running.machines:
            print(f"\n{machine.name} ({machine.address}):\n  {shlex.join(machine.ssh_command())}")
        print("\n^C ends the lab.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
