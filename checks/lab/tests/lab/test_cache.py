"""What is slow to make is made once, and a killed builder leaves nothing half made."""

import os
import signal
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from checks.lab import cache

fork = get_context("fork")


def write_slowly(folder: Path) -> None:
    (folder / "part").write_text("made")
    time.sleep(0.5)
    with (folder.parent / "built").open("a") as log:
        log.write("x")


def build(target: Path) -> None:
    cache.build_once(target, write_slowly, "image")


def test_two_builders_at_once_build_once(tmp_path: Path) -> None:
    target = tmp_path / "lab" / "image-1"
    builders = [fork.Process(target=build, args=(target,)) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(10)
        assert builder.exitcode == 0
    assert (target / "part").read_text() == "made"
    assert (target.parent / "built").read_text() == "x"


def test_a_killed_builder_leaves_no_image_and_the_next_one_starts_afresh(tmp_path: Path) -> None:
    target = tmp_path / "image-1"
    builder = fork.Process(target=build, args=(target,))
    builder.start()
    while not (tmp_path / ".unfinished" / "part").exists():
        time.sleep(0.01)
    assert builder.pid
    os.kill(builder.pid, signal.SIGKILL)
    builder.join(10)
    assert not target.exists()
    build(target)
    assert (target / "part").read_text() == "made"
    assert not (tmp_path / ".unfinished").exists()


def test_a_failed_builder_leaves_no_image(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "part").write_text("made")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.build_once(tmp_path / "image-1", fail, "image")
    assert not (tmp_path / "image-1").exists()


def test_only_the_last_used_images_stay(tmp_path: Path) -> None:
    (tmp_path / "not-ours").mkdir()
    for number in range(4):
        cache.build_once(tmp_path / f"image-{number}", lambda folder: None, "image")
        os.utime(tmp_path / f"image-{number}", (number, number))
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == ["image-2", "image-3", "not-ours"]


def test_the_cache_lies_outside_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DORMOUSE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "dormouse" / "lab"
    monkeypatch.setenv("DORMOUSE_CACHE", str(tmp_path / "chosen"))
    assert cache.folder() == tmp_path / "chosen" / "lab"
