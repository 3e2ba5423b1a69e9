"""The machines start once; every test gets empty pools and keeps evidence on failure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.lab import evidence, lab, product
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.product import Product
from checks.lab.signals import ended_by_terminate
from checks.lab.tests.guest import FAILED, baked, evidence_of_instances, generated, site
from checks.lab.vm import Vm

__all__ = ["baked", "evidence_of_instances", "generated", "site"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def pytest_collection_finish(session: pytest.Session) -> None:
    """Says at once, before any machine starts, that there is nothing to test."""
    if any("product" in getattr(item, "fixturenames", ()) for item in session.items):
        try:
            product.check_binaries()
        except product.MissingBinary as error:
            raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session", autouse=True)
def terminable() -> Iterator[None]:
    with ended_by_terminate():
        yield


@pytest.fixture(scope="session")
def machines() -> Iterator[Lab]:
    """The running machines, without pools."""
    with lab.opened() as running:
        yield running


@pytest.fixture
def pair(machines: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The running machines with empty pools: `tank` at home, `vault` at the archiver."""
    machines.make_pools()
    yield machines
    kept = None
    if request.node.stash.get(FAILED, False):
        kept = evidence.collect(request.node.nodeid, machines.machines)
        print(f"lab: logs, journals and pools are kept in {kept}")
    machines.restore()
    machines.remove_pools(keep_in=kept)


@pytest.fixture
def home(pair: Lab) -> Vm:
    return pair.home


@pytest.fixture
def archiver(pair: Lab) -> Vm:
    return pair.archiver


@pytest.fixture(name="product")
def installed_product(pair: Lab, tmp_path: Path) -> Product:
    """The product, installed on both machines, for `tank/safe` at home."""
    zfs(pair.home, "create", "tank/safe")
    installed = Product(pair, tmp_path)
    installed.install()
    return installed
