"""`dormouse report --html` writes a page that a browser shows well, in the light and in the dark."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from checks.lab import browser, process
from checks.lab.product import binary

DAY = 86_400
GIB = 1 << 30
SIZES = [(1280, False), (1280, True), (390, False), (390, True)]
NASTY = "cannot open 'tank/<b>&\"\u2603': </td><script>document.title = 'owned'</script>" + "x" * 200

PROVIDER = {
    "type": "ec2",
    "region": "us-west-2",
    "availability_zone": "us-west-2a",
    "instance_type": "t4g.small",
    "image": {"nixos": "26.05"},
}
ARCHIVER = {"provider": PROVIDER, "volume": {"size_gib": 125}, "pool": {"name": "vault"}}
SAFE = {"archiver": "archiver", "source": "tank/safe", "target": "vault/home/safe"}
pytestmark = pytest.mark.skipif(
    "browser" in os.environ.get("DORMOUSE_WITHOUT", "").split(","), reason="DORMOUSE_WITHOUT says so"
)
SPEC = {
    "version": 1,
    "name": "lab",
    "archivers": {"archiver": ARCHIVER},
    "hosts": {"home": {"replications": {"safe": SAFE}}},
}


def dormouse(folder: Path, *arguments: str) -> process.Result:
    variables = [f"PATH={folder}", f"STATE_DIRECTORY={folder}/state", f"RUNTIME_DIRECTORY={folder}/run", "TZ=UTC"]
    argv = [str(binary("dormouse")), "--spec", str(folder / "dormouse.json"), "--host", "home"]
    return process.run(["env", "-i", *variables, *argv, *arguments], check=False)


def only_event(folder: Path) -> tuple[Path, dict[str, Any]]:
    (path,) = (folder / "state/reports/lab/kept").glob("*.json")
    event: dict[str, Any] = json.loads(path.read_text())
    return path, event


@pytest.fixture(name="page")
def page_of_a_month(tmp_path: Path) -> Path:
    """Of a month with four runs a day, of which some failed, made of an event that dormouse wrote."""
    (tmp_path / "dormouse.json").write_text(json.dumps(SPEC))
    (tmp_path / "zfs").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "zfs").chmod(0o755)
    assert dormouse(tmp_path, "replicate").code == 1
    path, model = only_event(tmp_path)
    sight = {"size": 120 * GIB, "health": "ONLINE", "scan": None}
    for number in range(1, 120):
        at = model["started_at"] - (120 - number) * DAY // 4
        sight |= {"at": at, "allocated": number * GIB // 3, "free": 120 * GIB - number * GIB // 3}
        event = model | {"started_at": at, "run": f"{number:032x}", "pool": dict(sight), "seconds": 90.0}
        if number % 10:
            event |= {"verdict": "sent", "success": True, "exit": 0, "error": None, "help": None}
            event |= {"bytes": number << 20, "snapshots": 3, "sent": 1, "cost_usd": 0.002, "last_success_at": at}
            event |= {"oldest_unreplicated_s": 900 + 60 * (number % 7)}
        else:
            event |= {"verdict": "unreachable", "error": NASTY, "oldest_unreplicated_s": 7_200}
        name = f"{at:012}.safe.{event['run']}.json"
        (path.parent / name).write_text(json.dumps(event))
    (tmp_path / "state/reports/lab/seen/archiver.pool.json").write_text(json.dumps(sight))
    written = dormouse(tmp_path, "report", "--html", str(tmp_path / "page.html"))
    assert written.code == 0, written
    return tmp_path / "page.html"


def test_a_browser_shows_all_of_the_page_in_every_width_and_light(page: Path, tmp_path: Path) -> None:
    reader = browser.find(tmp_path)
    photographs = set()
    for width, dark in SIZES:
        seen = reader.look(page, width, dark)
        where = f"{width} pixels, {'dark' if dark else 'light'}: {seen}"
        assert seen["width"] == width and seen["dark"] == dark, where
        assert seen["scrollWidth"] <= width and seen["cut"] == 0, where
        # WCAG 2.2, 1.4.3, level AA.
        assert seen["contrast"] >= 4.5 and seen["smallest"] >= 14, where
        # Runs, lag, bytes; volume and cost.
        assert len(seen["pictures"]) == 5, where
        assert all(picture["marks"] > 0 for picture in seen["pictures"]), where
        picture = reader.photograph(page, width, dark)
        assert picture.startswith(b"\x89PNG"), where
        photographs.add(picture)
        if keep := os.environ.get("DORMOUSE_LAB_PICTURES"):
            Path(keep, f"page-{width}-{'dark' if dark else 'light'}.png").write_bytes(picture)
    assert len(photographs) == len(SIZES)


def test_the_page_says_when_the_volume_is_full_and_holds_no_script(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    assert "Full on <strong>" in text and "<script" not in text and "owned" in text
    # Nothing is loaded from elsewhere.
    assert "http:" not in text and "https:" not in text and "url(" not in text and "src=" not in text


def test_what_the_probe_says_is_what_it_sees(page: Path, tmp_path: Path) -> None:
    """The control: a page that is too wide, and whose text is pale, is noticed."""
    spoilt = tmp_path / "spoilt.html"
    style = "<style>p { color: #ccc !important; width: 2000px; }</style></head>"
    spoilt.write_text(page.read_text().replace("</head>", style))
    seen = browser.find(tmp_path).look(spoilt, 390, False)
    assert seen["cut"] > 0 and seen["scrollWidth"] > 390 and seen["contrast"] < 4.5, seen
