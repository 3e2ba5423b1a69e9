"""Which tests go to the same of two labs: those that share what is costly to set up."""

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Parts of a test's address, up to what the tests of a group have in common.
GROUPS = re.compile(r".*/(sleeper/|test_guest_)")


class Groups(LoadScopeScheduling):
    """Any other test goes where there is time for it."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid) or nodeid


def group(nodeid: str) -> str | None:
    """The group of a test that shares its set-up with others."""
    found = GROUPS.match(nodeid)
    return found[1] if found else None


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)
