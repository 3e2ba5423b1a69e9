"""A headless browser that looks at a page: what it draws, where, and whether it can be read."""

import html
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.lab import process

PROGRAMS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]

# It is root in CI, and nothing that the page holds comes from elsewhere.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
OPTIONS += ["--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars"]

# Runs in a copy of the page and leaves what it saw in an attribute.
PROBE = """<script>
const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
const light = (color) => {
  const [r, g, b] = numbers(color).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if ((numbers(color)[3] ?? 1) > 0) return color;
  }
  return 'rgb(255, 255, 255)';
};
const all = [...document.querySelectorAll('body *')];
const texts = all.filter((e) => !e.closest('svg') && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
const seen = {
  width: innerWidth,
  scrollWidth: document.documentElement.scrollWidth,
  dark: matchMedia('(prefers-color-scheme: dark)').matches,
  page: getComputedStyle(document.body).backgroundColor,
  cut: all.filter((e) => !e.closest('.wide') && e.getBoundingClientRect().right > innerWidth + 1).length,
  contrast: Math.min(...texts.map((e) => ratio(getComputedStyle(e).color, behind(e)))),
  smallest: Math.min(...texts.map((e) => parseFloat(getComputedStyle(e).fontSize))),
  pictures: [...document.querySelectorAll('svg')].map((svg) => ({
    title: svg.previousElementSibling.firstChild.data,
    marks: [...svg.querySelectorAll('rect, polyline')].filter((mark) => {
      const [box, inside] = [mark.getBoundingClientRect(), svg.getBoundingClientRect()];
      return box.width > 0 && box.left >= inside.left - 1 && box.right <= inside.right + 1
        && box.top >= inside.top - 1 && box.bottom <= inside.bottom + 1;
    }).length,
  })),
};
document.documentElement.dataset.seen = JSON.stringify(seen);
</script>"""


@dataclass(frozen=True)
class Browser:
    """A browser, and a folder for what it writes."""

    program: str
    folder: Path

    def look(self, page: Path, width: int, dark: bool) -> dict[str, Any]:
        """What a reader with a window of this width, in pixels, gets to see."""
        probed = self.folder / "probed.html"
        probed.write_text(page.read_text().replace("</body>", f"{PROBE}</body>"))
        shown = self._run(probed, width, dark, "--dump-dom").stdout
        found = re.search(r'data-seen="([^"]*)"', shown)
        assert found, shown[-2000:]
        seen: dict[str, Any] = json.loads(html.unescape(found[1]))
        return seen

    def photograph(self, page: Path, width: int, dark: bool) -> bytes:
        """What it looks like, as PNG."""
        picture = self.folder / "page.png"
        self._run(page, width, dark, f"--screenshot={picture}")
        return picture.read_bytes()

    def _run(self, page: Path, width: int, dark: bool, *options: str) -> process.Result:
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        profile = f"--user-data-dir={self.folder / 'profile'}"
        argv = [self.program, *OPTIONS, scheme, profile, f"--window-size={width},1600", *options]
        return process.run([*argv, page.as_uri()], timeout=120)


def find(folder: Path) -> Browser:
    """The browser that is installed; checks/setup.sh sees to it where there is a package."""
    for program in PROGRAMS:
        if path := shutil.which(program):
            return Browser(path, folder)
    wanted = ", ".join(PROGRAMS)
    raise FileNotFoundError(f"none of {wanted} is installed; install one, or say DORMOUSE_WITHOUT=browser")
