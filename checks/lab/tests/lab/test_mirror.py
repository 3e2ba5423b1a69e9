"""The guest is built from the mirror that the computer's own apt uses."""

from pathlib import Path

import pytest

from checks.lab import mirror

DEBIAN = "ID=debian\nVERSION_CODENAME=bookworm\n"
UBUNTU = "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DORMOUSE_DEBIAN_MIRROR", raising=False)


def etc(folder: Path, release: str, files: dict[str, str]) -> Path:
    (folder / "apt/sources.list.d").mkdir(parents=True)
    (folder / "os-release").write_text(release)
    for name, text in files.items():
        (folder / "apt" / name).write_text(text)
    return folder


def test_a_one_line_source_is_found(tmp_path: Path) -> None:
    text = (
        "# deb http://commented.test/debian bookworm main\n"
        "deb http://other.test/apt all main\n"
        "deb http://security.test/debian-security bookworm-security main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib\n"
    )
    assert mirror.find(etc(tmp_path, DEBIAN, {"sources.list": text})) == "http://mirror.test/debian"


def test_a_deb822_source_is_found(tmp_path: Path) -> None:
    text = (
        "Types: deb\nURIs: http://off.test/debian\nSuites: bookworm\nEnabled: no\n\n"
        "Types: deb deb-src\nURIs: http://mirror.test/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\n\n"
        "Types: deb\nURIs: http://security.test/debian\nSuites: bookworm-security\n"
    )
    found = mirror.find(etc(tmp_path, DEBIAN, {"sources.list.d/debian.sources": text}))
    assert found == "http://mirror.test/debian"


def test_a_list_of_mirrors_is_followed(tmp_path: Path) -> None:
    listed = tmp_path / "mirrors.list"
    listed.write_text("https://mirror.test/debian\n")
    text = f"Types: deb\nURIs: mirror+file://{listed}\nSuites: bookworm\n"
    found = mirror.find(etc(tmp_path, DEBIAN, {"sources.list.d/debian.sources": text}))
    assert found == "https://mirror.test/debian"


def test_ubuntus_own_mirror_is_not_taken_for_debians(tmp_path: Path) -> None:
    text = "deb http://mirror.test/ubuntu noble main\n"
    assert mirror.find(etc(tmp_path, UBUNTU, {"sources.list": text})) is None


def test_the_users_choice_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DORMOUSE_DEBIAN_MIRROR", "http://chosen.test/debian")
    assert mirror.find(etc(tmp_path, UBUNTU, {})) == "http://chosen.test/debian"
