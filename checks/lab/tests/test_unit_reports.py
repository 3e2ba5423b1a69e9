"""The module's units tell of their runs, with secrets that only root may read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from checks.lab import owner, tree, units, wait
from checks.lab.cycle import SOURCE, assert_complete
from checks.lab.ec2.namespace import listen
from checks.lab.ec2.server import serving
from checks.lab.network import CONTROLLER
from checks.lab.pool import zfs
from checks.lab.product import Product
from checks.lab.vm import Vm

JOB = "dormouse-safe.service"
PORT = 8090
METRICS = "/srv/metrics"
TOLD = "/var/tmp/lab-told"
SECRETS = {
    "/root/webhook-url": f"http://{CONTROLLER}:{PORT}/runs",
    "/root/webhook-headers": "X-Key: sesame",
}
REPORT = {
    "webhook": {"url_file": "/root/webhook-url", "headers_file": "/root/webhook-headers"},
    # Its file is forgotten.
    "ping": {"url_file": "/root/ping-url"},
    "prometheus": {"textfile_dir": METRICS},
    "alert_after": "1h",
    "notify": {"command": ["tee", "-a", TOLD]},
}

Letter = tuple[str, dict[str, Any]]


@pytest.fixture(name="inbox")
def webhook(product: Product) -> Iterator[list[Letter]]:
    """What arrives at the webhook: each request's key and body."""
    letters: list[Letter] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        letters.append((environ.get("HTTP_X_KEY", ""), json.loads(body)))
        start_response("204 No Content", [])
        return [b""]

    listener = listen(CONTROLLER, PORT, owner.NAMESPACES / product.lab.network.name)
    with serving(listener, application):
        yield letters


@pytest.fixture(name="service")
def reporting_service(product: Product) -> Iterator[Product]:
    spec = product.make_spec()
    spec["hosts"]["home"]["report"] = REPORT
    product.make_spec = lambda: spec  # type: ignore[method-assign]
    product.generate()
    product.install_home()
    home = product.lab.home
    for path, text in SECRETS.items():
        home.put(path, text.encode(), 0o600)
    try:
        with units.installed(product, jitter=0):
            home.run(["install", "-d", "-o", units.USER, METRICS])
            home.run(["systemctl", "start", "zfs-dormouse.service"])
            yield product
    finally:
        home.run(["rm", "-rf", *SECRETS, METRICS, TOLD])


def told(home: Vm) -> str:
    """What the host has told by itself, after it had reason to look."""
    looked = home.run(["systemctl", "start", "dormouse-stale.service"], check=False)
    assert looked.code == 0, home.run(["journalctl", "--unit=dormouse-stale", "--no-pager"])
    return home.run(["cat", TOLD], check=False).stdout


def test_the_unit_reports_good_runs_and_killed_ones(service: Product, inbox: list[Letter]) -> None:
    lab = service.lab
    home = lab.home
    assert "backup safe is late" in told(home)
    tree.write(home, SOURCE, "one", 1)
    tree.snapshot(home, SOURCE, "one")
    done = home.run(["systemctl", "start", JOB], timeout=300, check=False)
    said = home.run(["journalctl", "--boot", "--no-pager", "--output=cat", "--unit", JOB]).stdout
    # A report that cannot be made keeps no backup from being made, and the key is in no log.
    assert done.code == 0 and "/root/ping-url" in said and "sesame" not in said, said
    assert_complete(service)
    [(key, event)] = inbox
    assert key == "sesame" and event["verdict"] == "sent" and event["trigger"] == "systemd", inbox
    assert "dormouse_last_success" in home.run(["sh", "-c", f"cat {METRICS}/*.prom"]).stdout
    assert told(home).count("is late") == 1 and "backup safe is well again" in told(home)

    zfs(home, "create", f"{SOURCE}/big")
    tree.write(home, f"{SOURCE}/big", "file", 8)
    tree.snapshot(home, SOURCE, "two")
    sent = lab.sent(home)
    with lab.rate_limit(home, "8mbit"):
        home.run(["systemctl", "start", "--no-block", JOB])
        wait.until(lambda: lab.sent(home) - sent > 1 << 20, "some of it is sent")
        home.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", JOB])
        over = ["systemctl", "is-failed", JOB]
        wait.until(lambda: home.run(over, check=False).code == 0, "the unit has failed")
    wait.until(lambda: len(inbox) == 2, "the killed run is told of", 60, 0.5)
    _, (key, event) = inbox
    assert key == "sesame" and event["verdict"] == "killed", event
    assert event["replication"] == "safe" and event["service_result"] == "signal", event
