"""The generated policies against the calls of an archiver's life that was recorded on virtual machines."""

from pathlib import Path

from checks.lab.ec2.iam import asked
from checks.lab.tests import calls
from checks.lab.tests.generated import Archiver


def test_a_life_needs_each_statement_and_no_other(tmp_path: Path) -> None:
    made = Archiver(tmp_path / "files")
    made.generate()
    calls.assert_policies_fit(asked.load(calls.LIFE.read_text()), made.folder / "generated")
