"""The shards of `make test-qemu` run every test file once, and none of them is long."""

import pytest

from checks.lab.tests import shards
from checks.lab.tests.schedule import group
from checks.lab.tests.shards import LABS, SHARDS, TESTS

LIMIT = 25


def test_each_test_file_belongs_to_exactly_one_shard() -> None:
    files = sorted(TESTS.rglob("test_*.py"))
    assert TESTS / "sleeper/test_life.py" in files
    assert {str(file): shards.shards_of(file) for file in files if len(shards.shards_of(file)) != 1} == {}


@pytest.mark.parametrize("shard", SHARDS)
def test_a_shard_names_what_exists(shard: str) -> None:
    assert [path for path in shards.paths(shard) if not path.exists()] == []


def test_tests_that_share_a_lab_share_a_shard() -> None:
    found: dict[str, set[str]] = {}
    for file in TESTS.rglob("test_*.py"):
        if name := group(f"tests/{file.relative_to(TESTS)}::test_it"):
            found.setdefault(name, set()).update(shards.shards_of(file))
    assert set(found) == {"sleeper/", "test_guest_"}
    assert all(len(names) == 1 for names in found.values()), found


@pytest.mark.parametrize("shard", SHARDS)
def test_a_shard_takes_at_most_25_minutes(shard: str) -> None:
    minutes = SHARDS[shard]
    together: dict[str, int] = {}
    for name, each in minutes.items():
        together.setdefault(group(f"tests/{name}/") or name, 0)
        together[group(f"tests/{name}/") or name] += each
    assert max(sum(minutes.values()) / LABS, *together.values()) <= LIMIT
