"""What must not go on does not: nothing is sent, and nothing changes."""

import time
from collections.abc import Callable

import pytest

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, cycle, send
from checks.lab.lab import Lab
from checks.lab.product import Product

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
# A key exchange and a refusal take a few kilobytes; the file below has a mebibyte.
HANDSHAKE = 20_000


def both(lab: Lab) -> tuple[list[list[str]], list[list[str]]]:
    """Everything in the pools of both sides."""
    return tree.state(lab.home, "tank"), tree.state(lab.archiver, "vault")


def test_a_wrong_host_key_is_refused_and_nothing_is_sent(product: Product) -> None:
    lab = product.lab
    right = lab.archiver.get(HOST_KEY)
    for name in ("one", "two"):
        tree.write(lab.home, SOURCE, name, 1)
        tree.snapshot(lab.home, SOURCE, name)
        replace_host_key(lab)
        before, sent = both(lab), lab.sent(lab.home)
        refused = product.run("replicate")
        assert refused.code == 1, refused
        assert "host key" in refused.stderr and "nothing was sent" in refused.stderr
        assert both(lab) == before
        assert lab.sent(lab.home) - sent < HANDSHAKE
        lab.archiver.put(HOST_KEY, right)
        lab.archiver.run(["systemctl", "restart", "ssh.service"])
        sent = lab.sent(lab.home)
        send(product)
        assert lab.sent(lab.home) - sent > HANDSHAKE


def replace_host_key(lab: Lab) -> None:
    """What a stranger's machine at the archiver's address would have."""
    lab.archiver.run(["rm", HOST_KEY])
    lab.archiver.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", HOST_KEY])
    lab.archiver.run(["systemctl", "restart", "ssh.service"])


def stop_sshd(lab: Lab) -> None:
    lab.archiver.run(["systemctl", "stop", "ssh.service"])


def start_sshd(lab: Lab) -> None:
    lab.archiver.run(["systemctl", "start", "ssh.service"])


@pytest.mark.parametrize(
    ("lose", "find"),
    [
        pytest.param(Lab.cut_network, Lab.restore_network, id="cut", marks=pytest.mark.long),
        pytest.param(stop_sshd, start_sshd, id="refused"),
    ],
)
def test_an_unreachable_archiver_gives_5_and_nothing_changes(
    product: Product, lose: Callable[[Lab], None], find: Callable[[Lab], None]
) -> None:
    lab = product.lab
    for name in ("one", "two"):
        tree.write(lab.home, SOURCE, name, 1)
        tree.snapshot(lab.home, SOURCE, name)
        before = both(lab)
        lose(lab)
        lost = product.run("replicate")
        assert lost.code == 5, lost
        assert lab.archiver.address in lost.stderr
        assert both(lab) == before
        find(lab)
        send(product)


# `test_nothing_to_do_starts_one_zfs_and_no_ssh` shows it too.
@pytest.mark.long
def test_nothing_to_do_does_not_need_the_archiver(product: Product) -> None:
    cycle(product, "one")
    product.lab.archiver.run(["systemctl", "stop", "ssh.service"])
    idle = product.run("replicate")
    assert idle.code == 0, idle


def test_a_second_run_ends_at_once_with_7_and_the_first_goes_on(product: Product) -> None:
    lab = product.lab
    tree.write(lab.home, SOURCE, "file", 8)
    tree.snapshot(lab.home, SOURCE, "one")
    with lab.rate_limit(lab.home, "8mbit"):
        sent = lab.sent(lab.home)
        first = product.start("replicate")
        wait.until(lambda: lab.sent(lab.home) - sent > 1_000_000, "the first run sends")
        begin = time.monotonic()
        second = product.run("replicate")
        assert second.code == 7, second
        assert time.monotonic() - begin < 10
        assert first.is_running()
    done = first.wait()
    assert done.code == 0, done


def test_a_diverged_copy_is_left_alone_with_4(product: Product) -> None:
    lab = product.lab
    cycle(product, "one")
    lab.archiver.run(["zfs", "set", "readonly=off", COPY])
    lab.archiver.run(["zfs", "destroy", f"{COPY}@one"])
    lab.archiver.run(["zfs", "snapshot", f"{COPY}@two"])
    # The second run finds what the refused one left.
    for name in ("two", "three"):
        tree.snapshot(lab.home, SOURCE, name)
        before = tree.state(lab.archiver, "vault")
        conflict = product.run("replicate")
        assert conflict.code == 4, conflict
        assert tree.state(lab.archiver, "vault") == before


def test_a_pool_that_is_not_imported_is_an_error_and_not_an_empty_one(product: Product) -> None:
    lab = product.lab
    vault = lab.pools[1]
    for name in ("one", "two"):
        tree.snapshot(lab.home, SOURCE, name)
        vault.export()
        before = tree.state(lab.home, "tank")
        missing = product.run("replicate")
        assert missing.code == 1, missing
        assert "vault" in missing.stderr
        assert tree.state(lab.home, "tank") == before
        vault.import_()
        send(product)
    assert pool.exists(lab.archiver, COPY)
