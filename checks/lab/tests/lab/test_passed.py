"""The lab's own tests are skipped only if the very same sources have passed all of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checks.lab.tests import stamps
from checks.lab.tests.stamps import Selection

# What pytest.ini needs to load the plugins.
NEEDED = ["__init__.py", "cache.py", "pytest.ini"]
HELPERS = ["passed.py", "schedule.py", "stamps.py", "times.py"]
TWO_TESTS = "from checks.lab import helper\ndef test_one(): pass\ndef test_two(): assert helper.WORKS\n"
SOURCE = "checks/lab/helper.py"
# As `python -m checks.lab test` runs them.
TWO_LABS = ["-n", "2", "--dist", "loadscope", "-p", "checks.lab.tests.schedule"]


class Checkout:
    """A checkout with a lab of one module and a package of two tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lab = stamps.CHECKS / "lab"
        for name in [*NEEDED, *(f"tests/{helper}" for helper in HELPERS)]:
            self.write(f"checks/lab/{name}", (lab / name).read_text())
        self.write(SOURCE, "WORKS = True\n")
        self.write("checks/lab/tests/ec2/test_it.py", TWO_TESTS)
        self.write("checks/lab/tests/test_product.py", "def test_product(): pass\n")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *arguments: str, **environment: str) -> str:
        """What pytest prints last."""
        argv = [sys.executable, "-m", "pytest", "-c", "checks/lab/pytest.ini", *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DORMOUSE_", "PYTEST_"))}
        variables = {**kept, "DORMOUSE_CACHE": str(self.folder / "cache"), **environment}
        done = subprocess.run(argv, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=60)
        assert not done.stderr, done.stderr
        return done.stdout

    def stamps(self) -> int:
        return len(list((self.folder / "cache/lab/passed").glob("*")))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("workers", [[], TWO_LABS], ids=["alone", "two-labs"])
def test_sources_that_passed_are_skipped_and_say_so(checkout: Checkout, workers: list[str]) -> None:
    assert "3 passed" in checkout.run(*workers)
    again = checkout.run(*workers)
    assert "1 passed, 2 skipped" in again and "these sources passed on 2" in again, again


@pytest.mark.parametrize("name", [SOURCE, "checks/lab/recipe/packages", "checks/lab/tests/ec2/test_more.py"])
def test_another_source_is_tested_again(checkout: Checkout, name: str) -> None:
    checkout.run()
    checkout.write(name, "WORKS = 1\n")
    assert " skipped" not in checkout.run()


@pytest.mark.parametrize("name", ["checks/lab/tests/test_product.py", "checks/lab/tests/ec2/README.md"])
def test_product_tests_and_documentation_are_not_sources(checkout: Checkout, name: str) -> None:
    checkout.run()
    checkout.write(name, "")
    assert "2 skipped" in checkout.run()


@pytest.mark.parametrize("workers", [[], TWO_LABS], ids=["alone", "two-labs"])
def test_a_failed_test_leaves_no_stamp(checkout: Checkout, workers: list[str]) -> None:
    checkout.write(SOURCE, "WORKS = False\n")
    assert "1 failed, 2 passed" in checkout.run(*workers)
    assert checkout.stamps() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["-k", "one or two"],
        ["checks/lab/tests/ec2/test_it.py::test_one"],
        ["checks/lab/tests/test_product.py"],
        ["--collect-only"],
        ["--deselect", "checks/lab/tests/ec2/test_it.py::test_two"],
    ],
    ids=" ".join,
)
def test_a_part_of_the_package_leaves_no_stamp(checkout: Checkout, arguments: list[str]) -> None:
    checkout.run(*arguments)
    assert checkout.stamps() == 0


def test_a_part_of_the_files_leaves_no_stamp(checkout: Checkout) -> None:
    checkout.write("checks/lab/tests/ec2/test_more.py", "def test_more(): pass\n")
    assert "2 passed" in checkout.run("checks/lab/tests/ec2/test_it.py")
    assert checkout.stamps() == 0


def test_a_skipped_test_leaves_no_stamp(checkout: Checkout) -> None:
    checkout.write("checks/lab/tests/ec2/test_more.py", "import pytest\ndef test_more(): pytest.skip()\n")
    assert "1 skipped" in checkout.run()
    assert checkout.stamps() == 0


def test_each_backend_and_each_choice_of_markers_has_a_stamp_of_its_own(checkout: Checkout) -> None:
    checkout.run(DORMOUSE_LAB_BACKEND="qemu")
    assert " skipped" not in checkout.run(DORMOUSE_LAB_BACKEND="uml")
    assert " skipped" not in checkout.run("-m", "not long or long", DORMOUSE_LAB_BACKEND="uml")
    assert "2 skipped" in checkout.run(DORMOUSE_LAB_BACKEND="uml")
    assert checkout.stamps() == 3


def test_tests_that_the_markers_leave_out_are_not_needed_for_a_stamp(checkout: Checkout) -> None:
    marked = "import pytest\n@pytest.mark.qemu\ndef test_more(): assert False\n"
    checkout.write("checks/lab/tests/ec2/test_more.py", marked)
    assert "3 passed" in checkout.run("-m", "not qemu")
    assert "1 passed, 2 skipped" in checkout.run("-m", "not qemu")
    assert "1 failed, 3 passed" in checkout.run()


def test_without_a_cache_they_run(checkout: Checkout) -> None:
    checkout.run()
    shutil.rmtree(checkout.folder / "cache")
    assert "3 passed" in checkout.run()


def test_sources_that_change_during_the_run_leave_no_stamp(checkout: Checkout) -> None:
    changing = f"import pathlib\ndef test_it(): pathlib.Path('{SOURCE}').write_text('WORKS = 2')\n"
    checkout.write("checks/lab/tests/ec2/test_more.py", changing)
    assert "4 passed" in checkout.run()
    assert checkout.stamps() == 0


def test_every_source_and_setting_changes_the_hash(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("b")
    whole = stamps.digest([one, other], tmp_path, {"backend": "uml"})
    assert whole == stamps.digest([one, other], tmp_path, {"backend": "uml"})
    assert whole != stamps.digest([one], tmp_path, {"backend": "uml"})
    assert whole != stamps.digest([one, other], tmp_path, {"backend": "qemu"})
    other.rename(tmp_path / "renamed")
    assert whole != stamps.digest([one, tmp_path / "renamed"], tmp_path, {"backend": "uml"})


def test_a_package_passed_if_all_of_it_ran_and_passed() -> None:
    both, none = frozenset({"a", "b"}), frozenset[str]()
    assert stamps.have_passed(Selection(both, whole=True), both, none)
    assert not stamps.have_passed(Selection(both, whole=False), both, none)
    assert not stamps.have_passed(Selection(both, whole=True), frozenset({"a"}), none)
    # A test that passed, and whose teardown failed.
    assert not stamps.have_passed(Selection(both, whole=True), both, frozenset({"b"}))
    assert not stamps.have_passed(Selection(none, whole=True), none, none)


def test_only_the_newest_stamps_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DORMOUSE_CACHE", str(tmp_path))
    written = [stamps.file_of("ec2", "uml", f"{number:064}"[::-1]) for number in range(stamps.KEPT + 2)]
    for age, stamp in enumerate(written):
        stamps.write(stamp)
        os.utime(stamp, (age, age))
    stamps.write(stamps.file_of("lab", "uml", "f" * 64))
    assert [stamps.read(stamp) is None for stamp in written] == [True] * 3 + [False] * (stamps.KEPT - 1)
