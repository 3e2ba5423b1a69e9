"""What an archiver lets go is shown before it counts, and only what was shown is let go."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.lab.tests.desk import Desk
from checks.lab.tests.desk import desks as opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An archiver that is set up, asleep, and keeps everything."""
    with opened(tmp_path) as desks:
        yield desks(ready=True)


def test_without_retention_nothing_is_woken(desk: Desk) -> None:
    refused = desk.run("prune", "--yes", "archiver")
    assert refused.code == 2 and "keeps everything" in refused.stderr, refused
    assert '"hourly": 48' in refused.stderr and "dormouse up archiver" in refused.stderr, refused
    assert desk.launches() == []


def test_what_a_new_retention_lets_go_is_seen_before_it_counts(desk: Desk) -> None:
    desk.files.respecify(**desk.settings, retention={"hourly": 48})
    said = desk.until_ssh("prune", "--dry-run", "archiver")
    assert "a different configuration from the files here" in said and "dormouse up archiver" in said
    assert desk.launches() == ["ok"]
