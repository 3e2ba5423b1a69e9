"""`python -m checks.lab`: build the image, run the tests, watch a cycle, or look around."""

import argparse
import contextlib
import os
import shlex
import signal
import sys
from pathlib import Path

from checks.lab import backend, bench_wake, demo, lab, soak
from checks.lab.signals import ended_by_terminate

HERE = Path(__file__).parent
# Two labs side by side: much of a test is waiting. tests/schedule.py says which tests stay together.
# `-n 0` is one lab.
WORKERS = ["-n", "2", "--dist", "loadscope", "-p", "checks.lab.tests.schedule"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    install = commands.add_parser("install", help="make the machines' image, unless it is there; boots nothing")
    install.set_defaults(do=install_image)
    build = commands.add_parser("build", help="the same, and save the state of a booted machine")
    build.set_defaults(do=build_image)
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


def install_image(_: list[str]) -> int:
    print(backend.get().image().path)
    return 0


def build_image(_: list[str]) -> int:
    chosen = backend.get()
    chosen.saved(chosen.image())
    print(chosen.image().path)
    return 0


def run_tests(arguments: list[str]) -> int:
    """Becomes pytest, so that a signal reaches it and not a parent that waits."""
    argv = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini"), *WORKERS, *arguments]
    os.execv(sys.executable, argv)


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
