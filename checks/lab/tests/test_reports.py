"""Every run is told of, whatever becomes of it, and the doctor finds what is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.lab import tree, wait
from checks.lab.cycle import SOURCE, send
from checks.lab.pool import zfs
from checks.lab.product import Product
from checks.lab.tests import desk as desks_here
from checks.lab.tests.desk import TAGS, Desk, Desks

PERMISSIONS = ["RunInstances", "CreateVolume", "CreateSecurityGroup"]
OF_AN_INSTANCE = ["AttachVolume", "TerminateInstances"]
STATE = "/var/lib/dormouse/reports/lab"


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with desks_here.desks(tmp_path) as made:
        yield made


def findings(desk: Desk) -> dict[str, dict[str, Any]]:
    result = desk.run("--json", "doctor")
    return {finding["check"]: finding for finding in json.loads(result.stdout)["findings"]}


def bad(found: dict[str, dict[str, Any]]) -> list[str]:
    """The checks of EC2 that found something to mend."""
    return [check for check, finding in found.items() if "archiver" in check and finding["state"] == "bad"]


def test_the_doctor_asks_ec2_and_changes_nothing(desks: Desks) -> None:
    desk = desks(ready=True)
    found = findings(desk)
    for check in ["AWS for", "volume of", "image of", "security group of"]:
        assert found[f"{check} archiver"]["state"] == "good", found
    for action in PERMISSIONS:
        assert found[f"ec2:{action} for archiver"]["state"] == "good", found
    assert found["permissions of archiver"]["state"] == "note", found
    asked = [call for call in desk.ec2.calls.made if call.action in PERMISSIONS]
    assert [call.outcome for call in asked] == ["DryRunOperation"] * 3, asked
    assert desk.running() == [] and desk.launches() == ["DryRunOperation"]
    instance = desk.launch(TAGS)
    found = findings(desk)
    for action in OF_AN_INSTANCE:
        assert found[f"ec2:{action} for archiver"]["state"] == "good", found
    assert desk.running() == [instance]


@pytest.mark.parametrize("action", PERMISSIONS + OF_AN_INSTANCE)
def test_the_doctor_names_the_permission_that_is_missing(desks: Desks, action: str) -> None:
    desk = desks(ready=True)
    desk.launch(TAGS)
    desk.ec2.faults.deny(action)
    found = findings(desk)
    check = f"ec2:{action} for archiver"
    assert bad(found) == [check], found
    assert f"allow ec2:{action}" in found[check]["fix"] and "iam-policy.json" in found[check]["fix"]


def test_the_doctor_names_credentials_that_are_wrong(desks: Desks) -> None:
    desk = desks(ready=True)
    desk.ec2.faults.fail("*", "AuthFailure", "AWS was not able to validate the credentials", times=None)
    found = findings(desk)
    assert bad(found) == ["AWS for archiver"], found
    assert "aws sts get-caller-identity" in found["AWS for archiver"]["fix"]


def test_the_doctor_says_what_up_has_to_make(desks: Desks) -> None:
    found = findings(desks())
    missing = ["volume of archiver", "image of archiver", "security group of archiver"]
    assert bad(found) == missing, found
    assert all("dormouse up archiver" in found[check]["fix"] for check in missing), found


def reported(product: Product) -> list[dict[str, Any]]:
    """The entries of runs in the journal, the earliest first."""
    argv = ["journalctl", "--output=json", "--no-pager", "SYSLOG_IDENTIFIER=dormouse"]
    lines = product.lab.home.run(argv).stdout.splitlines()
    return [json.loads(line) for line in lines]


def as_unit(product: Product, *options: str) -> None:
    """Starts a run as the module's unit does."""
    stop = " ".join(product.argv("report", "safe"))
    properties = ["--property=Type=oneshot", f"--property=ExecStopPost={stop}", "--property=KillMode=mixed"]
    argv = ["systemd-run", "--unit=dormouse-safe", "--no-block", *properties, *options]
    product.lab.home.run(["systemctl", "reset-failed"], check=False)
    product.lab.home.run([*argv, *product.argv("replicate", "safe")])


def has_ended(product: Product) -> bool:
    shown = product.lab.home.run(["systemctl", "is-active", "dormouse-safe"], check=False)
    return shown.stdout.strip() in ("inactive", "failed")


def test_each_run_has_one_entry_in_the_journal(product: Product) -> None:
    spec = product.make_spec()
    spec["hosts"]["home"]["report"] = {"journald": True}
    product.make_spec = lambda: spec  # type: ignore[method-assign]
    product.install()
    lab = product.lab
    zfs(lab.home, "create", f"{SOURCE}/big")
    tree.write(lab.home, f"{SOURCE}/big", "file", 8)
    tree.snapshot(lab.home, SOURCE, "one")
    sent = lab.sent(lab.home)
    with lab.rate_limit(lab.home, "8mbit"):
        as_unit(product)
        wait.until(lambda: lab.sent(lab.home) - sent > 1 << 20, "some of it is sent")
        lab.home.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "dormouse-safe"])
        wait.until(lambda: has_ended(product), "the unit has ended")
    (killed,) = reported(product)
    assert killed["DORMOUSE_VERDICT"] == "killed" and killed["PRIORITY"] == "3", killed
    assert killed["DORMOUSE_SERVICE_RESULT"] == "signal", killed
    assert killed["DORMOUSE_EXIT_STATUS"] == "KILL", killed
    event = json.loads(killed["DORMOUSE_EVENT"])
    assert event["oldest_unreplicated_s"] >= 0 and event["trigger"] == "systemd", event

    as_unit(product)
    wait.until(lambda: has_ended(product), "the unit has ended")
    _, good = reported(product)
    assert good["DORMOUSE_VERDICT"] == "sent" and good["PRIORITY"] == "6", good
    assert good["DORMOUSE_RUN"] != killed["DORMOUSE_RUN"]
    event = json.loads(good["DORMOUSE_EVENT"])
    assert event["sent"] >= 2 and event["bytes"] > 0 and event["oldest_unreplicated_s"] is None, event
    assert event["pool"]["health"] == "ONLINE" and event["pool"]["allocated"] > 0, event
    assert event["wake_s"] > 0 and event["send_s"] > 0, event

    send(product)
    status = product.report("status")
    (replication,) = status["replications"]
    assert replication["late"] is False and replication["last_run"]["verdict"] == "nothing_to_do", status
    assert status["archivers"][0]["pool"]["size"] == event["pool"]["size"], status
    nagios = product.run("status", "--max-age")
    assert nagios.code == 0 and nagios.stdout.startswith("DORMOUSE OK - safe succeeded"), nagios
    assert len(reported(product)) == 3
