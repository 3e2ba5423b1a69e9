"""A baked archiver: its pool, its sessions, and how it powers off."""

import base64
import mmap
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.lab import disk
from checks.lab.instance import Instance
from checks.lab.tests import guest
from checks.lab.tests.generated import Archiver
from checks.lab.tests.site import Site
from checks.lab.disk import Disk

# Each test goes on with what the one before left: the boot, the pool, the shutdown of one machine, then of another.
pytestmark = pytest.mark.qemu
# Exit code of what a host's key does not start.
REFUSED = 126
DEVICE = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"


@pytest.fixture(scope="module")
def volume(site: Site) -> Disk:
    return disk.make_disk(site.folder, "vol0123456789abcdef0", 1 << 30)


@pytest.fixture(scope="module")
def first(site: Site, generated: Archiver, baked: Path, volume: Disk) -> Iterator[Instance]:
    """Boots with nothing but ssh; then it gets its volume, on which a pool is made."""
    instance = awake(site, "first", generated, baked)
    # It has to wait here for others.
    instance.run(["systemctl", "stop", "dormouse-idle.timer"])
    instance.attach(volume)
    guest.until_true(instance, f"test -b {DEVICE}")
    instance.run(["zpool", "create", "-o", "cachefile=none", "-O", "mountpoint=none", "archive", DEVICE])
    for dataset in ("archive/desktop", "archive/laptop"):
        instance.run(["zfs", "create", dataset])
    instance.run(["systemctl", "restart", "dormouse-pool.service"])
    yield instance
    instance.kill()


@pytest.fixture(scope="module")
def second(site: Site, generated: Archiver, baked: Path, volume: Disk) -> Iterator[Instance]:
    """Another instance of the same disk."""
    instance = awake(site, "second", generated, baked)
    yield instance
    instance.kill()


def awake(site: Site, name: str, archiver: Archiver, baked: Path) -> Instance:
    instance = site.instance(name, archiver.user_data, baked)
    instance.boot(site.image)
    took = guest.entered(instance, archiver.admin())
    print(f"lab: {name}: {took:.1f} s until ssh")
    instance.wait_lab()
    return instance


def state(instance: Instance, unit: str) -> str:
    return instance.run(["systemctl", "show", "--property=ActiveState", "--value", unit]).stdout.strip()


@pytest.fixture(scope="module")
def client(second: Instance, generated: Archiver) -> Iterator[subprocess.Popen[bytes]]:
    """A host's session in the second instance, which keeps it from powering off."""
    client = guest.session(second, generated.host("desktop"))
    yield client
    client.kill()


def test_no_secret_is_left_in_a_baked_disk(
    site: Site, generated: Archiver, baked: Path
) -> None:
    """The control is in the fixture `baked`: the key is found before the cleaning."""
    assert guest.found_on(baked, (site.folder / "bake-key").read_text()) == set()
    # The archiver's own key never came near it: not even among deleted blocks.
    with baked.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as disk:
        assert disk.find(guest.body(generated.private_key).encode()) == -1


def test_a_baked_image_is_the_configuration_without_evaluating_it(
    first: Instance, generated: Archiver
) -> None:
    assert first.run(["hostname"]).stdout == "archiver\n"
    assert state(first, "amazon-init.service") == "inactive"
    assert first.run(["systemctl", "cat", "amazon-init.service"], check=False).code == 1
    journal = first.run(["journalctl", "--boot", "--output=cat"]).stdout
    assert "building the system configuration" not in journal
    assert first.get("/etc/ssh/ssh_host_ed25519_key").decode().strip() == generated.private_key.strip()


@pytest.mark.usefixtures("client")
def test_no_identity_comes_from_the_image(first: Instance, second: Instance) -> None:
    for path in ("/etc/machine-id", "/sys/class/net/eth0/address", "/run/lab/ssh_host_ed25519_key"):
        assert first.get(path) != second.get(path), path


def test_hosts_may_receive_below_their_own_parent_only(first: Instance, generated: Archiver) -> None:
    desktop = generated.host("desktop")
    assert first.enter(desktop, ["zfs", "create", "-u", "archive/desktop/safe"]).code == 0
    for command in ("zfs create -u archive/laptop/other", "zfs destroy archive/desktop/safe"):
        # ZFS refuses it too, whatever program asks for it.
        as_user = first.run(["runuser", "-u", desktop.user, "--", *command.split()], check=False)
        assert "permission denied" in as_user.stderr, as_user
        assert first.enter(desktop, command.split()).code == REFUSED


def test_a_thief_with_a_hosts_key_loses_nothing(first: Instance, generated: Archiver) -> None:
    laptop, target = generated.host("laptop"), "archive/laptop/safe"
    assert first.enter(laptop, ["zfs", "create", "-u", target]).code == 0
    for name in ("one", "two"):
        first.run(["zfs", "snapshot", f"{target}@{name}"])
    before = snapshots(first, target)
    # It destroys @two of what it is received into, and asks for no right but to receive.
    evil = (
        f"zfs send {target}@one | zfs receive archive/evil && zfs snapshot archive/evil@evil"
        " && zfs send -R -I @one archive/evil@evil >/run/evil && chmod 644 /run/evil"
    )
    first.run(["sh", "-c", evil])
    thefts = [f"zfs receive -F {target}", f"zfs destroy {target}@two", f"zfs rollback -r {target}@one"]
    thefts += [f"zfs set readonly=off {target}", "zfs send archive/evil@evil"]
    thefts += ["bash -i", f"zfs receive -F {target}; sh"]
    for theft in thefts:
        refused = first.enter(laptop, [theft])
        assert refused.code == REFUSED and "permission denied" in refused.stderr, refused
    assert snapshots(first, target) == before
    told = first.run(["journalctl", "--identifier=dormouse-gate", "--output=cat"]).stdout
    assert f"refused: 'zfs receive -F {target}'" in told
    # The control: without the gate, they are lost.
    first.run(["runuser", "-u", laptop.user, "--", "sh", "-c", f"zfs receive -F {target} </run/evil"], check=False)
    left = snapshots(first, target)
    assert f"{target}@one" in left and f"{target}@two" not in left, left


def snapshots(instance: Instance, dataset: str) -> list[str]:
    return instance.run(["zfs", "list", "-H", "-t", "snapshot", "-o", "name", dataset]).stdout.splitlines()


def test_a_host_cannot_power_it_off_under_another_ones_session(first: Instance, generated: Archiver) -> None:
    client = guest.session(first, generated.host("laptop"))
    try:
        refused = first.enter(generated.host("desktop"), ["systemctl", "poweroff"])
        assert refused.code != 0, refused
        listed = first.enter(generated.host("desktop"), ["loginctl", "list-sessions", "--json=short"])
        assert '"user":"dormouse-laptop"' in listed.stdout, listed
    finally:
        client.kill()
    guest.until_true(first, "! loginctl list-sessions --no-legend | grep -q dormouse-laptop")


def test_a_host_powers_it_off_and_the_pool_is_exported(first: Instance, generated: Archiver) -> None:
    assert state(first, "dormouse-pool.service") == "active"
    off = first.enter(generated.host("desktop"), ["systemctl", "poweroff"])
    assert off.code in (0, 255), off
    first.wait_off()


def test_a_volume_that_appears_brings_its_pool(second: Instance, volume: Disk) -> None:
    """Without -f: it was exported, and the host id is the same."""
    second.attach(volume)
    guest.until_true(second, "zpool list archive")
    guest.until_true(second, "systemctl is-active dormouse-pool.service")
    assert second.run(["zpool", "get", "-H", "-o", "value", "cachefile", "archive"]).stdout == "none\n"
    assert second.run(["zfs", "get", "-H", "-o", "value", "mounted", "archive/desktop"]).stdout == "no\n"


def test_hosts_are_told_which_of_their_datasets_have_lost_data(
    second: Instance, volume: Disk, generated: Archiver
) -> None:
    """A part of one file is overwritten on the volume; then ZFS looks at everything."""
    hit = "archive/desktop/safe/hit"
    write = f"zfs create -o mountpoint=/run/hit -o canmount=on -o readonly=off {hit} && head -c 1M /dev/urandom >/run/hit/file"
    second.run(["sh", "-c", f"{write} && zfs create -u {hit}/below"])
    needle = second.run(["sh", "-c", f"head -c 64 /run/hit/file | base64 -w0 && zfs unmount {hit}"]).stdout
    second.run(["systemctl", "stop", "dormouse-pool.service"])
    overwrite(volume, base64.b64decode(needle))
    second.run(["systemctl", "start", "dormouse-pool.service"])

    def told(host: str) -> set[str]:
        """The host's datasets that name themselves, once the unit has looked."""
        second.run(["zpool", "scrub", "archive"])
        second.run(["systemctl", "restart", "dormouse-damage.service"])
        columns = ["-t", "filesystem,volume", "-o", "name,dormouse:damaged"]
        target = f"archive/{host}/safe"
        listed = second.enter(generated.host(host), ["zfs", "list", "-H", "-p", "-r", *columns, target])
        assert listed.code == 0, listed
        rows = [line.split("\t") for line in listed.stdout.splitlines()]
        return {name for name, value in rows if name == value}

    assert told("desktop") == {hit} and told("laptop") == set()
    status = second.run(["zpool", "status", "-v", "archive"]).stdout
    assert f"{hit}:/file" in status, status
    second.run(["zfs", "destroy", "-r", hit])
    # ZFS forgets an error once two scrubs have not met it.
    assert [told("desktop") for _ in range(2)][-1] == set()


def overwrite(disk: Disk, needle: bytes) -> None:
    with disk.path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as blocks:
        at = blocks.find(needle)
        assert at > 0
        blocks[at : at + len(needle)] = bytes(len(needle))


def test_an_idle_archiver_stays_while_a_session_is_open_and_then_powers_off(
    second: Instance, client: subprocess.Popen[bytes]
) -> None:
    # It lingers for 30 s.
    guest.until_true(second, "test $(cut -d. -f1 /proc/uptime) -ge 75", timeout=120)
    client.kill()
    second.wait_off(timeout=180)
