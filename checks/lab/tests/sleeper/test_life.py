"""An archiver that sleeps: it is there while it is needed, and its volume always."""

import pytest

from checks.lab import tree, wait
from checks.lab.ec2.fixtures import client
from checks.lab.sleeper import Sleeper
from checks.lab.tests import calls as recorded
from checks.lab.tests.sleeper.case import Case, images
from checks.lab.vm import Vm


def tagged(archiver: Sleeper) -> list[str]:
    """What is left in EC2, as another client sees it."""
    api = client(archiver.cloud.ec2.observer_endpoint)
    spec = [{"Name": "tag:dormouse:spec", "Values": ["lab"]}]
    instances = [i for r in api.describe_instances(Filters=spec)["Reservations"] for i in r["Instances"]]
    left = [i["InstanceId"] for i in instances if i["State"]["Name"] != "terminated"]
    left += [v["VolumeId"] for v in api.describe_volumes(Filters=spec)["Volumes"]]
    left += [g["GroupId"] for g in api.describe_security_groups(Filters=spec)["SecurityGroups"]]
    left += [t["LaunchTemplateId"] for t in api.describe_launch_templates(Filters=spec)["LaunchTemplates"]]
    return left + images(archiver)


@pytest.mark.long
@pytest.mark.parametrize("case", ["faults"], indirect=True)
def test_what_fails_midway_leaves_nothing_running_and_can_be_repeated(case: Case) -> None:
    archiver, ec2 = case.archiver, case.archiver.cloud.ec2
    tree.snapshot(archiver.lab.home, case.source, "one")
    # The host dies while its archiver is on its way up.
    running = archiver.start("replicate", case.name)
    wait.until(lambda: len(ec2.alive()) == 1, "an instance")
    running.kill()
    running.wait()
    archiver.wait_asleep(240)
    # The answer to the launch is lost: there is one instance, and it is found again.
    ec2.faults.lose_reply("RunInstances")
    before = len(ec2.instances())
    case.replicated()
    assert len(ec2.instances()) == before + 1
    assert len(archiver.volumes()) == 1
    # EC2 forbids the launch: the missing action is named.
    tree.snapshot(archiver.lab.home, case.source, "two")
    ec2.faults.deny("RunInstances")
    refused = case.replicate()
    assert refused.code == 1 and "ec2:RunInstances" in refused.stderr, refused
    ec2.faults.clear()
    # The volume cannot be attached: what was launched is ended again.
    ec2.faults.deny("AttachVolume")
    refused = case.replicate()
    assert refused.code == 1 and "ec2:AttachVolume" in refused.stderr, refused
    assert archiver.is_asleep()
    # It cannot even be ended: the exit code and the message say so, and it ends by itself.
    ec2.faults.deny("TerminateInstances")
    lost = case.replicate()
    assert lost.code == 6, lost
    instance = ec2.alive()[0].id
    assert instance in lost.stderr and "terminate-instances" in lost.stderr, lost
    archiver.wait_asleep(240)
    ec2.faults.clear()
    case.replicated()
    assert case.at_home() <= case.archived()


@pytest.mark.parametrize("case", ["killed"], indirect=True)
def test_an_archiver_that_is_killed_comes_back_with_everything(case: Case) -> None:
    archiver, lab = case.archiver, case.archiver.lab
    with lab.rate_limit(lab.home, "24mbit"):
        running = case.start_big()
        case.instance.kill()
        cut = running.wait(timeout=600)
    assert cut.code in (1, 3, 5), cut
    assert archiver.is_asleep()
    # Its pool was never exported; the same host id imports it all the same.
    resumed = case.replicated()
    assert "resuming" in resumed.stdout, resumed
    assert case.at_home() <= case.archived()


@pytest.mark.long
@pytest.mark.parametrize("case", ["woken"], indirect=True)
def test_one_that_goes_as_a_host_comes_is_woken_anew(case: Case) -> None:
    ec2, before = case.archiver.cloud.ec2, len(case.archiver.cloud.ec2.instances())
    tree.snapshot(case.archiver.lab.home, case.source, "one")
    running = case.archiver.start("replicate", case.name)
    assert any("waiting for its pool" in line for line in running.said())
    case.instance.kill()
    done = running.wait(timeout=600)
    assert done.code == 0 and "waking it again" in done.stderr, done
    assert len(ec2.instances()) == before + 2 and case.archiver.is_asleep()
    assert case.at_home() <= case.archived()


@pytest.mark.parametrize("case", ["life"], indirect=True)
def test_the_whole_life_of_an_archiver(case: Case) -> None:
    archiver, calls = case.archiver, case.archiver.cloud.ec2.calls
    for name in ("one", "two"):
        tree.write(archiver.lab.home, case.source, name, 1)
        tree.snapshot(archiver.lab.home, case.source, name)
        case.replicated()
        mark = len(calls.made)
        idle = case.replicated()
        assert "nothing to do" in idle.stdout
        # Asleep and nothing to do: EC2 is not even asked.
        assert len(calls.made) == mark
    # From cold, with the host key that the generated ssh_config pins.
    assert case.at_home() <= case.archived()
    assert not archiver.is_asleep()
    # What has woken it leaves its connection to ssh, and ends.
    person = archiver.lab.home.start(archiver.ssh_argv("archiver", "cat"))
    wait.until(lambda: talks_alone(archiver.lab.home), "ssh talks to the archiver, and no dormouse runs")
    person.kill()
    person.wait()
    archiver.wait_asleep()
    # A host's key is enough to verify; files take the administrator's.
    verified = archiver.run("verify", case.source)
    assert verified.code == 0 and " ok" in verified.stdout, verified
    found = archiver.run("restore", case.source, "--file", "one", "--into", "/root/found")
    assert found.code == 0 and archiver.is_asleep(), found
    archiver.lab.home.run(["cmp", "/root/found/one", f"/{case.source}/one"])
    # Setting up again adopts what is there.
    before = sorted(tagged(archiver))
    archiver.up()
    assert sorted(tagged(archiver)) == before
    down = archiver.run("down", "--yes", "archiver")
    assert down.code == 0, down
    assert tagged(archiver) == archiver.volumes() and len(archiver.volumes()) == 1
    # The name decides, and only the right one.
    kept = archiver.run("down", "--yes", "--destroy-data", "--confirm", "archive", "archiver")
    assert kept.code == 1 and len(archiver.volumes()) == 1, kept
    gone = archiver.run("down", "--yes", "--destroy-data", "--confirm", "archiver", "archiver")
    assert gone.code == 0, gone
    # EC2 shows a volume for a while that it is deleting.
    wait.until(lambda: tagged(archiver) == [] and archiver.volumes() == [], "nothing is left", 30)
    recorded.assert_policies_fitted(archiver.cloud.ec2, archiver.generated)


def talks_alone(home: Vm) -> bool:
    talking = home.run(["ss", "-H", "-t", "-p", "state", "established", "dport = :22"]).stdout
    return '"ssh"' in talking and home.run(["pgrep", "-x", "dormouse"], check=False).code == 1
