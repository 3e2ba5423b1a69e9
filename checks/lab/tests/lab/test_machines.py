"""The lab's machines are real, separate, and noticed when they end."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from checks.lab import wait
from checks.lab.lab import Lab
from checks.lab.pool import value, zfs
from checks.lab.vm import MachineEnded, Vm


def test_each_machine_has_a_name_keys_and_numbers_of_its_own(machines: Lab) -> None:
    for command in (
        ["hostname"],
        ["hostid"],
        ["cat", "/sys/class/net/eth0/address"],
        ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"],
        ["cat", "/run/lab/ssh_host_ed25519_key.pub"],
        ["head", "-c", "16", "/dev/urandom"],
    ):
        assert machines.home.run(command).out != machines.archiver.run(command).out


def test_machines_never_draw_the_same_guids(pair: Lab) -> None:
    drawn: list[str] = []
    for pool in pair.pools:
        drawn.append(value(pool.vm, "guid", pool.name))
        for number in range(10):
            zfs(pool.vm, "snapshot", f"{pool.name}@{number}")
            drawn.append(value(pool.vm, "guid", f"{pool.name}@{number}"))
    assert len(set(drawn)) == len(drawn)


def test_the_clock_of_a_woken_machine_is_right(machines: Lab) -> None:
    guest = int(machines.home.run(["date", "+%s"]).stdout)
    assert abs(guest - time.time()) <= 3


def test_systemd_runs_in_the_machines_and_nothing_in_it_failed(machines: Lab) -> None:
    for vm in machines.machines:
        assert vm.run(["systemctl", "is-system-running"], check=False).stdout == "running\n"


def test_a_killed_machine_is_noticed_and_comes_back_clean(pair: Lab) -> None:
    archiver = pair.archiver
    archiver.put("/root/mark", b"here")
    for pid in processes(archiver):
        # The others may end with the first.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait.until(lambda: not archiver.is_alive, "the machine has ended")
    with pytest.raises(MachineEnded, match="archiver: .* is not running"):
        archiver.run(["true"])
    pair.restore()
    assert archiver.run(["cat", "/root/mark"], check=False).code == 1


def processes(vm: Vm) -> list[int]:
    """The processes of a machine: their arguments name its folder, as those of ssh also do."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            argv = file.read_text(errors="replace").split("\0")
            if str(vm.folder) in " ".join(argv) and Path(argv[0]).name != "ssh":
                found.append(int(file.parent.name))
    assert found
    return found


def test_a_command_that_fails_tells_where_and_what(machines: Lab) -> None:
    with pytest.raises(Exception, match="(?s)on home: \\$ ls /nowhere.*exit 2.*No such file"):
        machines.home.run(["ls", "/nowhere"])


def test_arguments_arrive_as_they_are(machines: Lab) -> None:
    awkward = ["a b", "$HOME", "'", '"', "\\", "*", "", "new\nline", "é"]
    printed = machines.home.run(["printf", "%s\\0", *awkward]).out
    assert printed.decode().split("\0")[:-1] == awkward


def test_a_file_arrives_whole_and_with_its_mode(machines: Lab) -> None:
    content = os.urandom(300_000)
    machines.home.put("/lab/deep/file", content, 0o640)
    assert machines.home.get("/lab/deep/file") == content
    assert machines.home.run(["stat", "-c", "%a", "/lab/deep/file"]).stdout == "640\n"
