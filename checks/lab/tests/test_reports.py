"""Every run is told of, whatever becomes of it, and the doctor finds what is wrong."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.lab import process, receivers, tree, wait
from checks.lab.cycle import SOURCE, send
from checks.lab.pool import zfs
from checks.lab.product import SAFE, Product, binary, static_spec
from checks.lab.tests import desk as desks_here
from checks.lab.tests.desk import TAGS, Desk, Desks

PERMISSIONS = ["RunInstances", "CreateLaunchTemplate", "CreateVolume", "CreateSecurityGroup"]
OF_AN_INSTANCE = ["AttachVolume", "TerminateInstances"]
# The entries that tell of a run; what dormouse prints has its name too.
RUN = "6f0c3a6c9a1b4f6b8d0c0f5f2d1e7a94"


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
    for check in ["AWS for", "volume of", "launch template of"]:
        assert found[f"{check} archiver"]["state"] == "good", found
    for action in PERMISSIONS:
        assert found[f"ec2:{action} for archiver"]["state"] == "good", found
    assert found["permissions of archiver"]["state"] == "note", found
    asked = [call for call in desk.ec2.calls.made if call.action in PERMISSIONS]
    assert [call.outcome for call in asked] == ["DryRunOperation"] * 4, asked
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
    missing = ["volume of archiver", "launch template of archiver"]
    assert bad(found) == missing, found
    assert all("dormouse up archiver" in found[check]["fix"] for check in missing), found


RULES_TEST = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'dormouse_last_success_timestamp_seconds{spec="lab",host="home",replication="safe"}'
        values: '0x200 _x100'
    alert_rule_test:
      - {eval_time: 59m, alertname: DormouseStale, exp_alerts: []}
      - eval_time: 61m
        alertname: DormouseStale
        exp_alerts: [&late {exp_labels: {spec: lab, host: home, replication: safe, severity: critical},
          exp_annotations: {summary: "No backup of home/safe has succeeded for 60 min: `dormouse status` on home says more"}}]
      - {eval_time: 250m, alertname: DormouseStale, exp_alerts: [*late]}
"""


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A folder with a spec whose runs go to Prometheus, and a `zfs` that always fails."""
    spec = static_spec({"safe": SAFE}, "192.0.2.1")
    prometheus = {"textfile_dir": str(tmp_path), "rules_file": str(tmp_path / "rules.yml")}
    spec["hosts"]["home"]["report"] = {"prometheus": prometheus}
    (tmp_path / "dormouse.json").write_text(json.dumps(spec))
    (tmp_path / "zfs").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "zfs").chmod(0o755)
    return tmp_path


def dormouse(folder: Path, *arguments: str) -> process.Result:
    variables = {"PATH": f"{folder}:/usr/bin:/bin", "STATE_DIRECTORY": folder / "state"}
    variables |= {"RUNTIME_DIRECTORY": folder / "run"}
    shown = [f"{name}={value}" for name, value in variables.items()]
    argv = [str(binary("dormouse")), "--spec", str(folder / "dormouse.json"), "--host", "home"]
    return process.run(["env", "-i", *shown, *argv, *arguments], check=False)


def test_the_node_exporter_shows_the_metrics_of_a_run(watched: Path) -> None:
    assert dormouse(watched, "replicate").code == 1
    metrics = (watched / "dormouse_lab_safe.prom").read_bytes()
    process.run([str(receivers.prometheus() / "promtool"), "check", "metrics"], stdin=metrics)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = [f"--web.listen-address={address}", "--collector.disable-defaults", "--collector.textfile"]
    options.append(f"--collector.textfile.directory={watched}")
    exporter = process.start([str(receivers.prometheus() / "prometheus-node-exporter"), *options])
    try:
        wait.until(lambda: scraped(address), "the node exporter answers")
        shown = scraped(address)
    finally:
        exporter.kill()
        exporter.wait()
    labels = 'archiver="archiver",host="home",replication="safe",spec="lab"'
    assert f"dormouse_last_run_success{{{labels}}} 0" in shown, shown
    assert "node_textfile_scrape_error 0" in shown, shown


def scraped(address: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/metrics", timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def test_prometheus_raises_the_alarm_when_no_run_succeeds_or_the_host_is_dead(watched: Path) -> None:
    done = dormouse(watched, "alarm", "apply")
    assert done.code == 0, done
    promtool = str(receivers.prometheus() / "promtool")
    process.run([promtool, "check", "rules", str(watched / "rules.yml")])
    (watched / "test.yml").write_text(RULES_TEST)
    process.run([promtool, "test", "rules", str(watched / "test.yml")])


def reported(product: Product) -> list[dict[str, Any]]:
    """The entries of runs in the journal, the earliest first."""
    argv = ["journalctl", "--output=json", "--no-pager", f"MESSAGE_ID={RUN}"]
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
    # What came before it had arrived by then.
    results = {dataset["dataset"]: dataset["result"] for dataset in event["datasets"]}
    assert results[f"{SOURCE}/big"] == "sent" and event["failed"] == 0, event
    assert event["bytes"] > 0 and event["oldest_unreplicated_s"] is None, event
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
