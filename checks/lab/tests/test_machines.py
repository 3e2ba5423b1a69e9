"""The lab's machines are real, separate, and noticed when they end."""

import os
import signal

import pytest

from checks.lab.lab import Lab
from checks.lab.vm import MachineEnded, Vm


def test_each_machine_has_a_name_keys_and_numbers_of_its_own(bench: Lab) -> None:
    for command in (
        ["hostname"],
        ["hostid"],
        ["cat", "/sys/class/net/eth0/address"],
        ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"],
        ["cat", "/etc/lab/ssh_host_ed25519_key.pub"],
        ["head", "-c", "16", "/dev/urandom"],
    ):
        assert bench.home.run(command).out != bench.archiver.run(command).out


def test_the_clock_of_a_woken_machine_is_right(home: Vm) -> None:
    guest = int(home.run(["date", "+%s"]).stdout)
    assert abs(guest - int(os.popen("date +%s").read())) <= 3


def test_systemd_runs_in_the_machines_and_nothing_in_it_failed(bench: Lab) -> None:
    for vm in bench.machines:
        assert vm.run(["systemctl", "is-system-running"], check=False).stdout == "running\n"


def test_a_killed_machine_is_noticed_and_comes_back_clean(bench: Lab) -> None:
    archiver = bench.archiver
    archiver.put("/root/mark", b"here")
    assert archiver._qemu is not None
    os.kill(archiver._qemu.pid, signal.SIGKILL)
    archiver._qemu.wait()
    with pytest.raises(MachineEnded, match="archiver: QEMU is not running"):
        archiver.run(["true"])
    bench.restore()
    assert archiver.run(["cat", "/root/mark"], check=False).code == 1


def test_a_command_that_fails_tells_where_and_what(home: Vm) -> None:
    with pytest.raises(Exception, match="(?s)on home: \\$ ls /nowhere.*exit 2.*No such file"):
        home.run(["ls", "/nowhere"])


def test_arguments_arrive_as_they_are(home: Vm) -> None:
    awkward = ["a b", "$HOME", "'", '"', "\\", "*", "", "new\nline", "é"]
    printed = home.run(["printf", "%s\\0", *awkward]).out
    assert printed.decode().split("\0")[:-1] == awkward


def test_a_file_arrives_whole_and_with_its_mode(home: Vm) -> None:
    content = os.urandom(300_000)
    home.put("/lab/deep/file", content, 0o640)
    assert home.get("/lab/deep/file") == content
    assert home.run(["stat", "-c", "%a", "/lab/deep/file"]).stdout == "640\n"
