"""An archiver that the first version set up, and a host or its volume that did not stay as they were."""

import pytest

from checks.lab import tree
from checks.lab.ec2.fixtures import client
from checks.lab.tests.sleeper.case import Case, images

# What the first version's configuration granted, and how its pool and its images differed.
RIGHTS = "canmount,create,hold,mount,mountpoint,readonly,receive,send,userprop,volmode"
AS_IT_WAS = f"""
set -e
zfs inherit readonly vault
zfs inherit volmode vault
zfs inherit com.sun:auto-snapshot vault
zfs unallow -r -u dormouse-home vault
zfs allow -l -u dormouse-home create,mount,receive "${{1%/*}}"
zfs allow -c {RIGHTS} "${{1%/*}}"
zfs allow -u dormouse-home {RIGHTS} "$1"
# What a stream of a thief's sets.
zfs set mountpoint=/etc/cron.d "$1"
zfs set readonly=off "$1"
zfs hold forever "$1@one"
"""
LOOK = """
zfs get -H -o property,value,source readonly,volmode,canmount,mountpoint vault
zfs get -H -o property,value readonly,mountpoint "$1"
zfs allow "$1"; zfs allow "${1%/*}"
zfs release forever "$1@one"
"""


@pytest.mark.long
@pytest.mark.parametrize("case", ["upgraded"], indirect=True)
def test_one_up_brings_an_archiver_of_the_first_version_up_to_date(case: Case) -> None:
    archiver, home = case.archiver, case.archiver.lab.home
    api = client(archiver.cloud.ec2.observer_endpoint)
    tree.write(home, case.source, "file", 8)
    tree.snapshot(home, case.source, "one")
    case.replicated()
    home.run(archiver.as_admin("sh", "-s", case.target), stdin=AS_IT_WAS.encode(), timeout=300)
    archiver.wait_asleep()
    (template,) = api.describe_launch_templates()["LaunchTemplates"]
    api.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
    old = images(archiver)
    api.delete_tags(Resources=old, Tags=[{"Key": "dormouse:access"}])
    api.create_tags(Resources=old, Tags=[{"Key": "dormouse:configuration", "Value": "0123456789abcdef"}])

    done = archiver.run("up", "--yes", "archiver", timeout=900)
    assert done.code == 0, done
    assert f"{case.target} was set to mountpoint=/etc/cron.d" in done.stderr, done
    assert f"retention never removes 1 held snapshot: {case.target}@one" in done.stderr, done
    assert "update these hosts first: home" in done.stdout, done
    assert images(archiver) and not {*images(archiver)} & {*old}
    seen = home.run(archiver.as_admin("sh", "-s", case.target), stdin=LOOK.encode(), timeout=300).stdout
    for line in ["readonly\ton\tlocal", "volmode\tnone\tlocal", "canmount\toff\tlocal", "mountpoint\tnone\tlocal"]:
        assert line in seen, seen
    assert "\nreadonly\ton\n" in seen and "\nmountpoint\tnone\n" in seen, seen
    assert "hold" not in seen and "canmount," not in seen, seen
    archiver.wait_asleep()
    # Nothing is sent again.
    tree.snapshot(home, case.source, "two")
    sent = archiver.lab.sent(home)
    assert case.replicated().code == 0 and case.at_home() <= case.archived()
    assert archiver.lab.sent(home) - sent < 4 << 20
