"""Clients that come together, that are killed, and that lose the network: none of them keeps the archiver awake."""

import signal

import pytest

from checks.lab import tree
from checks.lab.tests.sleeper.case import Case


@pytest.mark.long
@pytest.mark.parametrize("case", ["orphan"], indirect=True)
def test_what_killed_clients_left_running_does_not_keep_it_awake(case: Case) -> None:
    archiver, lab = case.archiver, case.archiver.lab
    # Nobody tells either receive that its client is gone.
    person = lab.home.start(archiver.ssh_argv("archiver", "zfs receive -s -u vault/home/quick"))
    with lab.rate_limit(lab.home, "24mbit"):
        run = case.start_big()
        run.kill()
        run.wait()
    person.kill()
    person.wait()
    archiver.wait_asleep()
    assert "resuming" in case.replicated().stdout


@pytest.mark.long
@pytest.mark.parametrize("case", ["cut"], indirect=True)
def test_when_the_network_is_cut_the_run_ends_and_the_archiver_powers_off_by_itself(case: Case) -> None:
    archiver, lab, calls = case.archiver, case.archiver.lab, case.archiver.cloud.ec2.calls
    with lab.rate_limit(lab.home, "24mbit"):
        running = case.start_big()
        mark = len(calls)
        for tap in (lab.home.tap, case.instance.tap):
            lab.network.isolate(tap, True)
        cut = running.wait(timeout=600)
    assert cut.code == 5 and "error: " in cut.stderr and "help: " in cut.stderr, cut
    assert archiver.is_asleep(), cut
    assert calls.count("TerminateInstances", since=mark) == 0, cut
    lab.restore_network()
    assert "resuming" in case.replicated().stdout
    assert case.at_home() <= case.archived()


@pytest.mark.long
@pytest.mark.parametrize("case", ["patient"], indirect=True)
def test_two_runs_at_once_share_an_instance_and_the_last_one_out_lets_it_sleep(case: Case) -> None:
    archiver, lab, ec2 = case.archiver, case.archiver.lab, case.archiver.cloud.ec2
    quick = case.beside("quick")
    tree.snapshot(lab.home, quick.source, "one")
    # They share no lock, as runs of two hosts.
    elsewhere = ["env", "RUNTIME_DIRECTORY=/lab/run", "STATE_DIRECTORY=/lab/state"]
    with lab.rate_limit(lab.home, "24mbit"):
        short = lab.home.start([*elsewhere, *archiver.argv("replicate", quick.name)])
        long = case.start_big()
        long.kill(signal.SIGSTOP)
        first = short.wait(timeout=300)
        assert first.code == 0 and "stays awake for 1 other session" in first.stderr, first
        assert len(ec2.alive()) == 1, first
        long.kill(signal.SIGCONT)
        last = long.wait(timeout=300)
    assert last.code == 0 and "resuming" not in last.stdout, last
    assert archiver.is_asleep(), last
    for each in (case, quick):
        assert each.at_home() <= each.archived()
