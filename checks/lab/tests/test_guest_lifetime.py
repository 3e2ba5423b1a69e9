"""An archiver whose volume comes before its first switch has ended, and which lives too long."""

from pathlib import Path

import pytest

from checks.lab import disk
from checks.lab.tests import guest
from checks.lab.tests.generated import Archiver
from checks.lab.tests.site import Site


@pytest.mark.long
@pytest.mark.qemu
def test_an_early_volume_brings_its_pool_and_the_longest_life_ends(site: Site, tmp_path: Path) -> None:
    """The udev rule of the configuration comes too late for a volume that is there already."""
    archiver = Archiver(tmp_path / "files")
    archiver.generate(linger="2m", max_lifetime="3m")
    volume = disk.make_disk(site.folder, "vol0fedcba9876543210", 1 << 30)

    instance = site.instance("early", b"")
    instance.boot(site.image)
    instance.wait_lab()
    instance.attach(volume)
    instance.run(["zgenhostid", "-f", "00000001"])
    instance.run(["zpool", "create", "-O", "mountpoint=none", "archive", volume.device])
    instance.run(["zpool", "export", "archive"])
    # A key that is there already would stay.
    instance.run(["sh", "-c", "rm /etc/ssh/ssh_host_*"])
    instance.run(["systemctl", "--no-block", "poweroff"])
    instance.wait_off()

    site.user_data[instance.address] = archiver.script
    instance.boot(site.image)
    instance.wait_lab()
    instance.attach(volume)
    guest.until_true(instance, "systemctl is-active dormouse-pool.service && zpool list archive", 120)
    # Under this session it would linger for ever.
    client = guest.session(instance, archiver.host("desktop"))
    instance.wait_off(timeout=300)
    client.kill()
