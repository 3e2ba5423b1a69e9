"""Which test files `make test-qemu` runs together: shards of at most 25 minutes on two emulated labs.

`python -m checks.lab.tests.shards` prints the names of the shards; with a name, the paths of one.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).parent
LABS = 2
# Estimates for QEMU without KVM, in minutes of one lab; most of it is setting up machines and pools.
SHARDS: dict[str, dict[str, int]] = {
    "replication": {
        "test_cut_after_bytes.py": 3,
        "test_cycles.py": 7,
        "test_demo.py": 0,
        "test_follow_delete.py": 2,
        "test_interruptions.py": 5,
        "test_many_datasets.py": 7,
        "test_moving.py": 1,
        "test_nothing_to_do.py": 2,
        "test_refusals.py": 5,
    },
    "nasty": {
        "test_nasty_conflicts.py": 9,
        "test_nasty_encryption.py": 7,
        "test_nasty_limits.py": 5,
        "test_nasty_moments.py": 8,
        "test_nasty_sources.py": 3,
        "test_nasty_tokens.py": 5,
    },
    "host": {
        "test_hostile_archiver.py": 8,
        "test_kept_dataset.py": 2,
        "test_reports.py": 3,
        "test_restore.py": 8,
        "test_ssh_files.py": 1,
        "test_swap.py": 3,
        "test_unit_reports.py": 1,
        "test_unprivileged.py": 9,
        "test_verify.py": 6,
    },
    "ec2": {
        "sleeper": 13,
        "test_guest_archiver.py": 7,
        "test_guest_lifetime.py": 0,
        "test_guest_rights.py": 2,
        "test_guest_switch.py": 5,
        "test_migration.py": 0,
        "test_page.py": 1,
        "test_prune.py": 1,
        "test_sweep.py": 2,
        "test_wake_refusals.py": 3,
    },
    "lab": {
        "ec2": 8,
        "lab": 6,
        "suite": 0,
    },
}


def paths(shard: str) -> list[Path]:
    return [TESTS / name for name in SHARDS[shard]]


def shards_of(test: Path) -> list[str]:
    """The shards that run a test file; one, if the table is right."""
    return [name for name in SHARDS if any(path in (test, *test.parents) for path in paths(name))]


def main(arguments: list[str]) -> int:
    if not arguments:
        print("\n".join(SHARDS))
        return 0
    if arguments[0] not in SHARDS:
        print(f"{arguments[0]} is not a shard: choose one of {', '.join(SHARDS)}", file=sys.stderr)
        return 2
    print("\n".join(map(str, paths(arguments[0]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
