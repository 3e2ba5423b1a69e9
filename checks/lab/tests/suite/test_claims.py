"""docs/testing.md names every test of the product once, and no other test."""

import ast
import re
from collections import Counter
from pathlib import Path

from checks.lab.tests.shards import TESTS

CLAIMS = TESTS.parents[2] / "docs" / "testing.md"
ROW = re.compile(r"^\| .*\| `(test_\w+)`", re.MULTILINE)


def functions(file: Path) -> list[str]:
    found = (node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef))
    return [node.name for node in found if node.name.startswith("test_")]


def test_each_product_test_has_a_claim_in_the_documentation() -> None:
    files = [*TESTS.glob("test_*.py"), *(TESTS / "sleeper").glob("test_*.py")]
    written = Counter(name for file in files for name in functions(file))
    assert written["test_the_whole_life_of_an_archiver"] == 1
    claimed = Counter(ROW.findall(CLAIMS.read_text().partition("\n## Claims\n")[2]))
    assert {"without a claim": written - claimed, "without a test": claimed - written} == {
        "without a claim": Counter(),
        "without a test": Counter(),
    }
