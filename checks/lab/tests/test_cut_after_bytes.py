"""Every connection breaks after some bytes, over and over: all arrives, nothing twice."""

import pytest

from checks.lab import tree
from checks.lab.cycle import SOURCE, assert_complete
from checks.lab.pool import zfs
from checks.lab.product import BINARY, FOLDER, Product

MIB = 1 << 20
FILE = 2 * MIB
# Each stream begins with a header, and what a cut receive keeps are records of 128 KiB that it has
# written: of the two that it was at, nothing.
RECORD = 320 << 10
PASSED = "/root/passed"

# Lets so many bytes of streams through and notes how many there were; all else passes.
CUTTER = """#!/bin/sh
case "$*" in
    *"zfs receive -s"*)
        head -c {bytes} | tee /root/part | ssh "$@"
        code=$?
        wc -c </root/part >>{passed}
        exit $code ;;
esac
exec ssh "$@"
"""


def grow(product: Product, name: str) -> None:
    """New data in three datasets of the tree, and in its root none."""
    for child in ("a", "a/b", "c"):
        tree.write(product.lab.home, f"{SOURCE}/{child}", name, FILE // MIB)
    tree.snapshot(product.lab.home, SOURCE, name)


def arrive(product: Product, cut: int) -> None:
    """Runs until all is there; every run brings the tree on, and no run sends what is there."""
    home = product.lab.home
    home.put("/root/cutter", CUTTER.format(bytes=cut, passed=PASSED).encode(), 0o755)
    home.put(PASSED, b"")
    command = [BINARY, "--spec", f"{FOLDER}/dormouse.json", "--host", "home", "--ssh", "/root/cutter"]
    most = 3 * FILE // (cut - RECORD) + 3
    for runs in range(1, most + 1):
        done = home.run([*command, "replicate"], check=False, timeout=300)
        if done.code == 0:
            break
        assert done.code in (1, 3), done
    assert done.code == 0, f"not after {runs} runs: {done}"
    assert_complete(product)
    passed = [int(line) for line in home.get(PASSED).split()]
    assert len(passed) > 3, "the control: nothing was cut"
    assert sum(passed) < 3 * FILE + len(passed) * RECORD, passed


def cut_everywhere(product: Product, cuts: list[int]) -> None:
    for child in ("a", "a/b", "c"):
        zfs(product.lab.home, "create", f"{SOURCE}/{child}")
    for number, cut in enumerate(cuts):
        grow(product, f"s{number}")
        arrive(product, cut)


def test_receives_that_are_cut_over_and_over_end_with_all_and_nothing_twice(product: Product) -> None:
    cut_everywhere(product, [1_300_000, 900_000])


@pytest.mark.long
@pytest.mark.parametrize("cut", [250_000, 333_333, 500_000, 700_001, 1_048_576, 1_500_000, 2_000_000])
def test_receives_that_are_cut_after_any_number_of_bytes_end_with_all(product: Product, cut: int) -> None:
    cut_everywhere(product, [cut, cut + 12_345])
