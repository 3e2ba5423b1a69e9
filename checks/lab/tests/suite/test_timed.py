"""`checks/timed` records how long a phase of make took, and changes nothing else about it."""

import os
from pathlib import Path

import pytest

from checks.lab import process
from checks.lab.process import Result

TIMED = Path(__file__).parents[3] / "timed"


def timed(folder: Path, *arguments: str) -> Result:
    return process.run(["env", f"DORMOUSE_CACHE={folder}", str(TIMED), *arguments], check=False)


@pytest.mark.parametrize("code", [0, 3])
def test_a_phase_keeps_its_output_and_exit_code_and_is_listed_once(tmp_path: Path, code: int) -> None:
    done = timed(tmp_path, "build", "sh", "-c", f"echo made; exit {code}")
    assert (done.code, done.stdout) == (code, "made\n")
    seconds, unit, name = timed(tmp_path, "--print").stdout.splitlines()[1].split()
    assert seconds.isdigit() and (unit, name) == ("s", "build")
    assert timed(tmp_path, "--print").stdout == ""


def test_phases_at_the_same_time_are_all_listed(tmp_path: Path) -> None:
    both = f"{TIMED} one sleep 1 & {TIMED} two true; wait"
    process.run(["env", f"DORMOUSE_CACHE={tmp_path}", "sh", "-c", both])
    listed = [line.split()[2] for line in timed(tmp_path, "--print").stdout.splitlines()[1:]]
    assert sorted(listed) == ["one", "two"]
    assert os.listdir(tmp_path) == []
