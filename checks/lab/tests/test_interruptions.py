"""A run that is killed or cut off, at any moment, can simply be run again."""

import os
import random

import pytest

from checks.lab import pool, tree, wait
from checks.lab.cycle import COPY, SOURCE, assert_complete, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import Product

MIB = 1 << 20
BIG = 16
# ssh and the streams' own framing add some bytes to those of the files.
OVERHEAD = 2 * MIB
KILLS = 12


def half_sent(lab: Lab, before: int) -> None:
    wait.until(lambda: lab.sent(lab.home) - before > BIG * MIB / 2, "half of it is sent")


def assert_resumes(product: Product) -> None:
    """The rest arrives, and only the rest."""
    lab = product.lab
    target = f"{COPY}/big"
    # There is a token as soon as a receive begins; what it covers grows until the receive has ended.
    wait.until(lambda: pool.received(lab.archiver, target) > 0, "a resume token that covers something")
    arrived = pool.received(lab.archiver, target)
    before = lab.sent(lab.home)
    send(product)
    assert lab.sent(lab.home) - before < BIG * MIB - arrived + OVERHEAD


@pytest.mark.sample
def test_a_killed_run_resumes_where_it_was(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", f"{SOURCE}/big")
    # First the whole dataset, then an increment.
    for name in ("one", "two"):
        tree.write(lab.home, f"{SOURCE}/big", "file", BIG)
        tree.snapshot(lab.home, SOURCE, name)
        with lab.rate_limit(lab.home, "16mbit"):
            before = lab.sent(lab.home)
            running = product.start("replicate")
            half_sent(lab, before)
            running.kill()
            running.wait()
        assert_resumes(product)
    cycle(product, "three")


def cut_midway(product: Product) -> None:
    """The network is cut silently: each end only notices that nothing comes any more."""
    lab = product.lab
    zfs(lab.home, "create", f"{SOURCE}/big")
    cycle(product, "one")
    tree.write(lab.home, f"{SOURCE}/big", "file", BIG)
    tree.snapshot(lab.home, SOURCE, "two")
    with lab.rate_limit(lab.home, "16mbit"):
        before = lab.sent(lab.home)
        running = product.start("replicate")
        half_sent(lab, before)
        lab.cut_network()
        cut = running.wait(timeout=120)
    assert cut.code in (1, 3, 5), cut
    lab.restore_network()


def test_a_cut_network_ends_a_run_and_the_next_one_resumes(product: Product) -> None:
    archiver = product.lab.archiver
    # sshd looks after lost clients here, as it does on the archivers that we configure.
    alive = b"ClientAliveInterval 5\nClientAliveCountMax 3\n"
    archiver.put("/etc/ssh/sshd_config.d/alive.conf", alive)
    archiver.run(["systemctl", "restart", "ssh.service"])
    cut_midway(product)
    assert_resumes(product)
    cycle(product, "three")


def test_a_receive_that_heard_of_no_end_does_not_stop_the_next_run(product: Product) -> None:
    cut_midway(product)
    send(product)


def test_an_archiver_that_loses_power_midway_gets_the_rest_later(product: Product) -> None:
    lab = product.lab
    zfs(lab.home, "create", f"{SOURCE}/big")
    cycle(product, "one")
    tree.write(lab.home, f"{SOURCE}/big", "file", BIG)
    tree.snapshot(lab.home, SOURCE, "two")
    with lab.rate_limit(lab.home, "16mbit"):
        before = lab.sent(lab.home)
        running = product.start("replicate")
        half_sent(lab, before)
        lab.archiver.reset()
        lost = running.wait(timeout=120)
    assert lost.code in (1, 3, 5), lost
    send(product)
    cycle(product, "three")


@pytest.fixture
def chance() -> random.Random:
    seed = os.environ.get("DORMOUSE_LAB_SEED") or str(random.randrange(10**9))
    print(f"run again with DORMOUSE_LAB_SEED={seed}")
    return random.Random(seed)


@pytest.mark.long
def test_runs_that_are_killed_at_random_moments_lose_nothing(product: Product, chance: random.Random) -> None:
    lab = product.lab
    for child in ("a", "a/b", "c", "d"):
        zfs(lab.home, "create", f"{SOURCE}/{child}")
    for number in range(3):
        for child in ("a", "a/b", "c"):
            tree.write(lab.home, f"{SOURCE}/{child}", f"file{number}", 1)
        tree.snapshot(lab.home, SOURCE, f"{number}")
    at_home = tree.guids(lab.home, SOURCE)
    archived: tree.Guids = {}
    for number in range(KILLS):
        running = product.start("replicate")
        lab.home.run(["sleep", f"{chance.uniform(0, 4):.2f}"])
        running.kill()
        running.wait()
        now = tree.guids(lab.archiver, COPY) if pool.exists(lab.archiver, COPY) else {}
        assert archived.items() <= now.items(), f"lost after kill {number}"
        archived = now
        if number % 5 == 4:
            tree.write(lab.home, f"{SOURCE}/d", f"more{number}", 1)
            tree.snapshot(lab.home, SOURCE, f"more{number}")
    assert at_home.items() <= tree.guids(lab.home, SOURCE).items()
    finish(product)
    cycle(product, "last")
    held = [row for row in tree.state(lab.home, SOURCE) if row[4] not in ("0", "-")]
    assert held == []


def finish(product: Product) -> None:
    """What a killed run left at work may keep a dataset busy for a moment."""
    wait.until(lambda: product.run("replicate").code == 0, "a run succeeds", timeout=120, pause=1)
    assert_complete(product)
