"""A plugin of pytest that ends a run by printing where its time went: per file, and the slowest tests."""

from collections import defaultdict
from collections.abc import Mapping

import pytest

SLOWEST = 20


def pytest_configure(config: pytest.Config) -> None:
    # A worker of xdist hands its reports to the controller, which prints.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Times(), "lab-times")


class Times:
    """Seconds of setup, call and teardown, summed over all workers."""

    def __init__(self) -> None:
        self.tests: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.tests[report.nodeid] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.tests:
            terminalreporter.write_sep("=", "where the time went (seconds, all workers)")
            for line in table(self.tests):
                terminalreporter.write_line(line)


def table(tests: Mapping[str, float]) -> list[str]:
    """Files by their time, then the slowest tests, then the total."""
    files: defaultdict[str, float] = defaultdict(float)
    for test, seconds in tests.items():
        files[test.partition("::")[0]] += seconds
    slowest = [row(f"  {name}", seconds) for name, seconds in by_time(tests)[:SLOWEST]]
    by_file = [row(name, seconds) for name, seconds in by_time(files)]
    return [*by_file, "slowest tests:", *slowest, row("total", sum(tests.values()))]


def by_time(times: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(times.items(), key=lambda item: item[1], reverse=True)


def row(name: str, seconds: float) -> str:
    return f"{seconds:8.1f}  {name}"
