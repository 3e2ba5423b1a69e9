"""The machines' network can be cut and slowed, and is separate from all others."""

import time

from checks.lab import network, owner
from checks.lab.lab import Lab
from checks.lab.vm import Vm

PING = ["ping", "-c", "1", "-W", "2", "-q"]


def reaches(one: Vm, other: Vm) -> bool:
    return one.run([*PING, other.address], check=False).code == 0


def test_a_cut_network_separates_the_machines_and_a_restored_one_does_not(pair: Lab) -> None:
    home, archiver = pair.home, pair.archiver
    assert reaches(home, archiver) and reaches(archiver, home)
    pair.cut_network()
    assert not reaches(home, archiver)
    assert not reaches(archiver, home)
    pair.restore_network()
    assert reaches(home, archiver) and reaches(archiver, home)


def test_nothing_outside_is_reachable_from_a_machine(home: Vm) -> None:
    # An address for documentation (RFC 5737): nobody answers, but a route would be tried.
    assert home.run([*PING, "192.0.2.1"], check=False).code != 0


def test_the_controller_keeps_its_place_on_the_wire_while_machines_come_and_go() -> None:
    with network.opened(owner.new_name()) as wire:
        seen = [wire.hardware()]
        taps = [wire.add_tap(f"wire-{number}") for number in range(8)]
        for tap in taps:
            seen.append(wire.hardware())
            wire.remove_tap(tap)
        seen.append(wire.hardware())
    assert len(set(seen)) == 1, seen


def test_a_rate_limit_slows_what_a_machine_sends(pair: Lab) -> None:
    def seconds() -> float:
        begin = time.monotonic()
        pair.home.run(["head", "-c", "1000000", "/dev/zero"])
        return time.monotonic() - begin

    assert seconds() < 4
    with pair.rate_limit(pair.home, "1600kbit"):
        assert seconds() > 4
    assert seconds() < 4
