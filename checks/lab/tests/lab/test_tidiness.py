"""A lab leaves nothing, however it ends, and two at once do not meet."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from checks.lab import owner, process
from checks.lab.lab import Lab

CHECKOUT = Path(__file__).parents[4]


@contextmanager
def another_lab() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A lab in a process of its own, and what it printed when it was ready."""
    child = subprocess.Popen(
        [sys.executable, "-m", "checks.lab", "shell"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        # Tests that a shell started in the background ignore it, and so would a lab of theirs.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout is not None
    try:
        text = ""
        while "^C ends the lab" not in text:
            line = child.stdout.readline().decode()
            assert line, text
            text += line
        yield child, text
    finally:
        child.kill()
        child.wait()
        owner.sweep()


def traces(pid: int) -> dict[str, list[str]]:
    """What there is on this computer of the labs of a process."""
    pattern = f"{owner.PREFIX}-{pid}-"
    return {
        "namespaces": [p.name for p in owner.NAMESPACES.glob(f"{pattern}*")],
        "folders": [p.name for p in owner.folders().glob(f"{pattern}*")],
        "processes": [line for line in command_lines() if pattern in line],
    }


def command_lines() -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def links() -> list[str]:
    """The network devices outside all labs."""
    return re.findall(r"^\d+: (\S+):", process.run(["ip", "-o", "link"]).stdout, re.MULTILINE)


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_lab_leaves_nothing(sig: signal.Signals) -> None:
    before = links()
    with another_lab() as (child, _):
        control = traces(child.pid)
        assert len(control["namespaces"]) == len(control["folders"]) == 1
        assert len(control["processes"]) >= 2
        assert links() == before
        child.send_signal(sig)
        assert child.wait(timeout=30) == 0
        assert traces(child.pid) == {"namespaces": [], "folders": [], "processes": []}
        assert links() == before


def test_a_killed_lab_runs_no_more_and_the_next_one_sweeps_up() -> None:
    with another_lab() as (child, _):
        assert len(traces(child.pid)["processes"]) >= 2
        child.kill()
        child.wait()
        left = traces(child.pid)
        assert len(left["namespaces"]) == len(left["folders"]) == 1
        owner.sweep()
        assert traces(child.pid) == {"namespaces": [], "folders": [], "processes": []}


def test_sweeping_spares_living_labs(machines: Lab) -> None:
    owner.sweep()
    assert all(vm.run(["true"]).code == 0 for vm in machines.machines)
    assert machines.folder.is_dir()


def test_two_labs_at_once_do_not_see_each_other(pair: Lab) -> None:
    with another_lab() as (_, text):
        entrances = [shlex.split(line) for line in text.splitlines() if "nsenter" in line]
        other_home = next(argv for argv in entrances if "root@10.77.0.10" in argv)
        process.run([*other_home, "touch /root/mark"])
        assert pair.home.run(["test", "-e", "/root/mark"], check=False).code == 1
        guid = ["zpool get -H -o value guid tank"]
        theirs = process.run([*other_home, *guid]).stdout
        assert pair.home.run(["zpool", "get", "-H", "-o", "value", "guid", "tank"]).stdout != theirs
        pair.cut_network()
        process.run([*other_home, "ping -c 1 -W 2 10.77.0.20"])
