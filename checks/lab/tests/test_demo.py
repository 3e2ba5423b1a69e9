"""What a newcomer is shown works."""

from pathlib import Path

import pytest

from checks.lab.demo import Demo
from checks.lab.lab import Lab


def test_the_demo_shows_a_whole_cycle(bench: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Demo(bench, tmp_path).run()
    shown = capsys.readouterr().out
    for text in ("created generated/known_hosts", "up to @monday", "nothing to do", "up to @tuesday"):
        assert text in shown
    assert shown.count("vault/home/safe/mail box@tuesday") == 1
