"""What a newcomer is shown works."""

from pathlib import Path

import pytest

from checks.lab import sleeper
from checks.lab.demo import Demo
from checks.lab.lab import Lab


# Minutes; `test_the_whole_life_of_an_archiver` goes the same way.
@pytest.mark.long
def test_the_demo_shows_a_whole_cycle(pair: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    with sleeper.clouded(pair, tmp_path / "ec2") as cloud:
        Demo(pair, desk, cloud).run()
    shown = capsys.readouterr().out
    for text in ("created generated/known_hosts", "up to @monday", "nothing to do", "up to @tuesday"):
        assert text in shown
    assert shown.count("vault/home/safe/mail box@tuesday") == 1
    assert shown.count("EC2: instances: 0; volumes: vol-") == 4
