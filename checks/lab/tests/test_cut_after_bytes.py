"""Every connection breaks after some bytes, over and over: all arrives, nothing twice."""

import pytest

from checks.lab import tree
from checks.lab.cycle import SOURCE, assert_complete
from checks.lab.pool import zfs
from checks.lab.product import BINARY, FOLDER, Product

MIB = 1 << 20
FILE = 2 * MIB
# A record that was cut in the middle comes again, and each stream begins with a header.
RECORD = 160 << 10
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


def test_zz_debug(product: Product) -> None:
    home = product.lab.home
    zfs(home, "create", f"{SOURCE}/x")
    tree.snapshot(home, SOURCE, "one")
    home.put("/root/p.lua", b"""
local arguments = ...
local names, failed = arguments["argv"], 0
for i = 1, #names, 2 do
    if zfs.sync.bookmark(names[i], names[i + 1]) ~= 0 then failed = failed + 1 end
end
return failed
""")
    a = f"{SOURCE}@one '{SOURCE}#dormouse_a_1_2' {SOURCE}/x@one '{SOURCE}/x#dormouse_a_1_2'"
    b = a.replace("_1_2", "_1_3")
    c = a.replace("_1_2", "_1_4")
    for line in (f"zfs program -j tank - {a} < /root/p.lua", f"cat /root/p.lua | zfs program -j tank - {b}", f"zfs program -j tank /root/p.lua {c}", f"zfs list -t bookmark -r {SOURCE}",
        "openssl speed -elapsed -seconds 1 -evp aes-128-gcm 2>&1 | tail -2; openssl speed -elapsed -seconds 1 -evp chacha20-poly1305 2>&1 | tail -1", "perl -MPod::Usage -MGetopt::Long -MTime::Local -MData::Dumper -e 'print 1'"):
        print(line, home.run(["sh", "-c", line], check=False))
    assert False
