"""Every examples/*.json, generated into a folder of its own."""

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nix import REPOSITORY

# Keys that nobody uses: the same in each run, so that a failure can be looked at again.
SEED = "00" * 31 + "01"


@dataclass
class Example:
    """A spec and what dormouse-generate makes of it."""

    name: str
    generated: Path
    secrets: Path

    @property
    def spec(self) -> dict:
        return json.loads((self.generated / "spec.json").read_text())

    def public_key(self, kind: str, name: str) -> str:
        """The key of `keys/<kind>/<name>.pub`, without its comment."""
        line = (self.generated / "keys" / kind / f"{name}.pub").read_text()
        return " ".join(line.split()[:2])


def generate(spec: Path, folder: Path, seed: str = SEED) -> Example:
    """Runs dormouse-generate on `spec`, with its output below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    seed_file = folder / "seed"
    seed_file.touch(mode=0o600)
    seed_file.write_text(seed + "\n")
    example = Example(spec.stem, folder / "generated", folder / "secrets")
    argv = [program(), "--spec", spec, "--seed", seed_file]
    argv += ["--out", example.generated, "--secrets", example.secrets]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"nix-checks: {' '.join(map(str, argv))} failed:\n{done.stderr}")
    return example


def check(spec: Path, generated: Path) -> str:
    """What `dormouse-generate --check` has against a folder; nothing when it is fresh."""
    argv = [program(), "--check", "--spec", spec, "--out", generated]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def program() -> Path:
    """dormouse-generate."""
    found = Path(os.environ["DORMOUSE_BIN_DIR"]).resolve() / "dormouse-generate"
    if not found.is_file():
        raise SystemExit(f"nix-checks: {found} is missing: run `make build`, or set DORMOUSE_BIN_DIR")
    return found


def generate_all(folder: Path) -> list[Example]:
    """Every example and the spec of the flake template."""
    specs = sorted((REPOSITORY / "examples").glob("*.json"))
    template = REPOSITORY / "templates" / "flake" / "dormouse.json"
    examples = [generate(spec, folder / spec.stem) for spec in specs]
    return [*examples, generate(template, folder / "template")]


def seconds(duration: str) -> int:
    """`90s`, `2m`, `25h`, `7d` as a number."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return int(duration[:-1]) * units[duration[-1]]


def login(example: Example, host: str, archiver: str) -> str:
    """The user as whom a host logs in on an archiver."""
    provider = example.spec["archivers"][archiver]["provider"]
    if provider["type"] == "static":
        return provider["user"]
    user = f"dormouse-{host}"
    # Linux takes 31 bytes.
    return user if len(user) <= 31 else f"{user[:22]}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
