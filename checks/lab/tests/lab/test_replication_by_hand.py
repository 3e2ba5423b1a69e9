"""What the product builds on works here: zfs send, ssh, zfs receive, step by step."""

import pytest

from checks.lab import pool, wait
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.vm import Vm

PIPE = 'set -o pipefail; zfs send $1 "$2" | ssh -o BatchMode=yes "$3" zfs receive -s -u vault/copy'


@pytest.fixture
def trusting(pair: Lab) -> Lab:
    """Home may enter the archiver over the ordinary sshd, and has a dataset."""
    home, archiver = pair.home, pair.archiver
    home.run(["install", "-d", "-m", "700", "/root/.ssh"])
    home.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519"])
    archiver.put("/root/.ssh/authorized_keys", home.get("/root/.ssh/id_ed25519.pub"))
    # Tests of the product give it a private key alone, as its user does.
    host_key = archiver.run(["ssh-keygen", "-y", "-f", "/etc/ssh/ssh_host_ed25519_key"]).out
    archiver.run(["systemctl", "restart", "ssh.service"])
    home.put("/root/.ssh/known_hosts", archiver.address.encode() + b" " + host_key)
    zfs(home, "create", "tank/data")
    return pair


def pipe(pair: Lab, options: str, snapshot: str) -> list[str]:
    return ["bash", "-c", PIPE, "bash", options, snapshot, f"root@{pair.archiver.address}"]


def guid(vm: Vm, snapshot: str) -> str:
    return pool.value(vm, "guid", snapshot)


def test_a_full_and_two_incremental_streams_arrive(trusting: Lab) -> None:
    options = ""
    for number in range(3):
        trusting.home.put(f"/tank/data/file{number}", bytes(100_000))
        zfs(trusting.home, "snapshot", f"tank/data@{number}")
        trusting.home.run(pipe(trusting, options, f"tank/data@{number}"))
        assert guid(trusting.home, f"tank/data@{number}") == guid(trusting.archiver, f"vault/copy@{number}")
        options = f"-i@{number}"


def test_a_cut_transfer_leaves_a_token_from_which_it_resumes(trusting: Lab) -> None:
    size = 48 << 20
    trusting.home.run(["dd", "if=/dev/urandom", "of=/tank/data/big", "bs=1M", "count=48", "status=none"])
    zfs(trusting.home, "snapshot", "tank/data@0")
    with trusting.rate_limit(trusting.home, "24mbit"):
        before = trusting.sent(trusting.home)
        running = trusting.home.start(pipe(trusting, "", "tank/data@0"))
        wait.until(lambda: trusting.sent(trusting.home) - before > size / 2, "half is sent")
        trusting.home.run(["pkill", "-KILL", "-x", "ssh"])
        assert running.wait().code != 0
    receiving = ["pgrep", "-x", "zfs"]
    wait.until(lambda: trusting.archiver.run(receiving, check=False).code == 1, "the receive has ended")
    token = pool.resume_token(trusting.archiver, "vault/copy")
    assert token
    arrived = pool.received_of(trusting.archiver, token)
    assert 0 < arrived < size
    before = trusting.sent(trusting.home)
    trusting.home.run(pipe(trusting, "-t", token))
    assert trusting.sent(trusting.home) - before < (size - arrived) * 1.1 + 500_000
    assert guid(trusting.home, "tank/data@0") == guid(trusting.archiver, "vault/copy@0")
