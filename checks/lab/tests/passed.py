"""A plugin of pytest: skips the lab's own tests if the very same sources have passed them before."""

import os
import platform
from pathlib import Path
from typing import Any

import pytest

from checks.lab.tests import stamps
from checks.lab.tests.stamps import Selection

KEY = "lab_selections"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Passed(config), "lab-passed")


class Passed:
    """Under xdist each worker selects and skips; the controller sees all reports and stamps."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        # Read before the tests run, so that a source that changes meanwhile is noticed.
        self.stamps = {package: stamp_of(package, config) for package in stamps.PACKAGES}
        self.collected: dict[str, set[str]] = {package: set() for package in stamps.PACKAGES}
        self.selections: dict[str, Selection] = {}
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if package := package_of(item.path):
            self.collected[package].add(item.path.name)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Comes after the deselection by markers and names."""
        for package, stamp in self.stamps.items():
            chosen = [item for item in items if package_of(item.path) == package]
            self.selections[package] = Selection(frozenset(item.nodeid for item in chosen), self.is_whole(package))
            if when := stamps.read(stamp):
                reason = f"these sources passed on {when}: {stamp}"
                for item in chosen:
                    item.add_marker(pytest.mark.skip(reason=reason))

    def is_whole(self, package: str) -> bool:
        names = {path.name for path in (stamps.TESTS / package).glob("test_*.py")}
        return names == self.collected[package] and not narrowed(self.config)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.passed and report.when == "call":
            self.passed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        output: dict[str, Any] | None = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[KEY] = {name: (sorted(each.chosen), each.whole) for name, each in self.selections.items()}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker that died says nothing; the test that it ran has failed."""
        for package, (chosen, whole) in getattr(node, "workeroutput", {}).get(KEY, {}).items():
            self.selections[package] = Selection(frozenset(chosen), whole)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for package, selection in self.selections.items():
            stamp = self.stamps[package]
            if stamps.read(stamp):
                continue
            all_passed = stamps.have_passed(selection, frozenset(self.passed), frozenset(self.failed))
            if all_passed and stamp == stamp_of(package, self.config):
                stamps.write(stamp)
                terminalreporter.write_line(f"{package}: all tests passed; a run with the same sources skips them")


def package_of(path: Path) -> str | None:
    """The package of the lab's own tests that a test file is in."""
    return path.parent.name if path.parent.parent == stamps.TESTS and path.parent.name in stamps.PACKAGES else None


def narrowed(config: pytest.Config) -> bool:
    """Whether anything but the marker expression may keep a test out."""
    option = config.option
    return bool(option.keyword or option.deselect or option.collectonly) or any("::" in arg for arg in config.args)


def stamp_of(package: str, config: pytest.Config) -> Path:
    """The marker expression counts: one run of QEMU's share does not stand for the others."""
    backend = os.environ.get("DORMOUSE_LAB_BACKEND") or "qemu"
    settings = {
        "backend": backend,
        "markers": config.option.markexpr,
        "python": platform.python_version(),
        "suite": os.environ.get("DORMOUSE_LAB_SUITE", ""),
    }
    return stamps.file_of(package, backend, stamps.digest(stamps.sources(package), stamps.CHECKS, settings))
