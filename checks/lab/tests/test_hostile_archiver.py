"""An archiver that an attacker controls cannot harm a host, nor read what was encrypted at home."""

import json
from collections.abc import Iterator

import pytest

from checks.lab import pool, tree
from checks.lab.cycle import COPY, SOURCE, cycle, send
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import SAFE, Product
from checks.lab.vm import Vm

ZFS = "/usr/local/sbin/zfs"
LIE, CAPTURED = "/root/lie", "/root/captured"
DIARY = "private diary, line"
SECRET = f"{SOURCE}/secret"

# Comes before the real zfs in PATH. What it does, /root/lie says.
HOSTILE = f"""#!/bin/bash
real=/usr/sbin/zfs
[ -x $real ] || real=/sbin/zfs
lie=$(cat {LIE} 2>/dev/null)
last=${{!#}}
case "$lie $1 $2" in
*' send -n') exec $real "$@" ;;
'properties send '*) shift; exec $real send -p "$@" ;;
'tree send '*) exec $real send -R "$last" ;;
'other send '*) exec $real send vault/other@x ;;
'nothing send '*) exit 0 ;;
'noise send '*) exec head -c 1000000 /dev/urandom ;;
'plain receive '*) cat >>{CAPTURED}; echo 'cannot receive: out of luck' >&2; exit 1 ;;
'plain list '*) $real "$@" | awk -F'\\t' -v OFS='\\t' -v o="$*" '
    o ~ /encryptionroot/ && NF > 4 {{ $4 = "-" }} {{ print }}'
    exit "${{PIPESTATUS[0]}}" ;;
esac
exec $real "$@"
"""


@pytest.fixture
def attacked(product: Product) -> Iterator[Product]:
    """An archiver where an attacker's zfs does what it is told, and is honest until then."""
    archiver = product.lab.archiver
    archiver.put(ZFS, HOSTILE.encode(), 0o755)
    yield product
    archiver.run(["rm", "-f", ZFS, LIE, CAPTURED])


@pytest.fixture
def hostile(attacked: Product) -> Lab:
    """The same with a backup, whose copy the attacker prepares."""
    product = attacked
    lab = product.lab
    tree.write(lab.home, SOURCE, "file", 1)
    cycle(product, "one")
    zfs(lab.archiver, "create", "vault/other")
    zfs(lab.archiver, "snapshot", "vault/other@x")
    zfs(lab.archiver, "set", "mountpoint=/etc/ssh", COPY)
    zfs(lab.archiver, "set", "canmount=on", COPY)
    zfs(lab.archiver, "create", "-o", "mountpoint=/etc/cron.d", f"{COPY}/evil")
    zfs(lab.archiver, "snapshot", f"{COPY}/evil@one")
    return lab


def lie(lab: Lab, which: str) -> None:
    lab.archiver.put(LIE, which.encode())


@pytest.mark.parametrize(
    ("which", "tried"),
    [
        ("properties", "a package"),
        ("tree", "a package"),
        ("other", '"vault/other@x" instead of'),
        ("nothing", "0 bytes"),
        ("noise", "something other than a ZFS stream"),
    ],
)
def test_a_stream_that_was_not_asked_for_is_not_received(
    product: Product, hostile: Lab, which: str, tried: str
) -> None:
    lie(hostile, which)
    before = tree.state(hostile.home, "tank")
    for command in (
        ["restore", SOURCE, "--to", "tank/back"],
        ["restore", SOURCE, "--swap"],
        ["verify", "--deep", "--yes", SOURCE],
    ):
        refused = product.run(*command)
        assert refused.code == 4 and "nothing was received" in refused.stderr and tried in refused.stderr, refused
        assert tree.state(hostile.home, "tank") == before, command


def test_an_honest_stream_of_the_same_archiver_is_received(product: Product, hostile: Lab) -> None:
    """The control: what the archiver did to its copy stays there."""
    for name in ("two", "three", "four"):
        tree.write(hostile.home, SOURCE, name, 1)
        tree.snapshot(hostile.home, SOURCE, name)
    send(product)
    lie(hostile, "honest")
    for arguments, back in ((["--to", "tank/back"], "tank/back"), (["--swap"], SOURCE)):
        restored = product.run("restore", SOURCE, *arguments)
        assert restored.code == 0, restored
        assert len(tree.guids(hostile.home, back)) == 4
        received = zfs(hostile.home, "get", "-H", "-s", "received", "all", back)
        assert received.stdout == "", received
        assert not pool.exists(hostile.home, f"{back}/evil")


def local(home: Vm) -> list[str]:
    """The properties that are set on the dataset itself."""
    return zfs(home, "get", "-H", "-s", "local", "-o", "property", "all", SOURCE).stdout.split()


def test_a_forged_record_of_properties_takes_no_part_of_the_system(product: Product, hostile: Lab) -> None:
    home = hostile.home
    forged = {"mountpoint": "/etc/cron.d", "overlay": "on", "setuid": "on", "quota": "1073741824"}
    record = json.dumps({"of": SOURCE, "set": forged | {"org.openzfs.systemd:required-by": "sshd.service"}})
    ours = pool.value(hostile.archiver, "dormouse:properties", COPY)
    assert json.loads(ours)["mac"], ours
    zfs(hostile.archiver, "set", f"dormouse:properties={record}", COPY)
    zfs(home, "destroy", "-r", SOURCE)
    zfs(home, "set", "setuid=off", "tank")
    try:
        unsigned = product.run("restore", SOURCE)
        assert unsigned.code == 0 and "is not signed; not set: mountpoint=/etc/cron.d" in unsigned.stderr, unsigned
        assert local(home) == []
        zfs(home, "destroy", "-r", SOURCE)
        # The host's ssh key may write the record, but not sign it.
        signed = json.loads(ours) | {"set": forged}
        zfs(hostile.archiver, "set", f"dormouse:properties={json.dumps(signed)}", COPY)
        changed = product.run("restore", SOURCE)
        assert changed.code == 0 and "was changed there" in changed.stderr, changed
        assert local(home) == []
        zfs(home, "destroy", "-r", SOURCE)
        zfs(hostile.archiver, "set", f"dormouse:properties={record}", COPY)
        restored = product.run("restore", SOURCE, "--accept-properties")
        assert restored.code == 0 and "it is a system directory" in restored.stderr, restored
        assert f"next: zfs mount {SOURCE}" in restored.stdout, restored
        assert pool.value(home, "mountpoint", SOURCE) == f"/{SOURCE}"
        assert pool.value(home, "setuid", SOURCE) == "off"
        assert local(home) == ["quota"]
    finally:
        zfs(home, "inherit", "setuid", "tank")


def write_diary(home: Vm) -> None:
    lines = "".join(f"{DIARY} {number}\n" for number in range(1000))
    home.put(f"/{SECRET}/diary", lines.encode())


@pytest.mark.parametrize("raw", ["auto", "always"])
def test_a_lie_about_a_copy_makes_no_plain_stream(attacked: Product, raw: str) -> None:
    product, lab = attacked, attacked.lab
    lab.home.put("/root/key", b"a long enough passphrase")
    key = ["-o", "encryption=on", "-o", "keyformat=passphrase", "-o", "keylocation=file:///root/key"]
    zfs(lab.home, "create", *key, "-o", "compression=off", SECRET)
    product.replications["safe"] = {**SAFE, "raw": raw}
    product.generate()
    product.install_home()
    cycle(product, "one")
    lie(lab, "plain")
    write_diary(lab.home)
    tree.snapshot(lab.home, SOURCE, "two")
    runs = [product.run("replicate"), product.run("replicate", "--audit")]
    assert count_lines(lab.archiver) == 0, runs
    for refused in runs:
        assert refused.code == 4 and '"never"' in refused.stderr and "new copy" in refused.stderr, refused
    # The control: a plain stream would have been found.
    lab.archiver.run(["sh", "-c", f"cat >>{CAPTURED}"], stdin=lab.home.run(["zfs", "send", f"{SECRET}@two"]).out)
    assert count_lines(lab.archiver) >= 1000


def count_lines(archiver: Vm) -> int:
    """How many lines of the diary the attacker has."""
    return int(archiver.run(["grep", "--text", "--count", DIARY, CAPTURED], check=False).stdout)
