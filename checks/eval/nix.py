"""The only place that starts Nix."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# Nothing is built and nothing is written: evaluation needs neither a store nor root.
NO_STORE = ["--readonly-mode", "--store", "dummy://"]

# A whole NixOS system takes seconds; an evaluation that takes this long does not end.
DEADLINE_SECONDS = 600


class EvaluationError(Exception):
    """Nix refused; the text is its stderr."""


def parse(file: Path) -> None:
    """Raises EvaluationError when `file` is no Nix expression."""
    _run(["nix-instantiate", "--parse", *NO_STORE, str(file)])


def evaluate(file: str, **arguments):
    """The value of a file of this folder, called with `arguments`."""
    argv = ["nix-instantiate", "--eval", "--strict", "--json", *NO_STORE, str(HERE / file)]
    for name, value in arguments.items():
        argv += ["--arg", name, expression(value)]
    return json.loads(_run(argv))


def flake_check(folder: Path, nixpkgs: Path) -> None:
    """Raises EvaluationError when `nix flake check` refuses a flake with this nixpkgs."""
    features = ["--extra-experimental-features", "nix-command flakes"]
    argv = ["nix", *features, "flake", "check", f"path:{folder}", "--no-build", "--offline"]
    argv += ["--override-input", "nixpkgs", f"path:{nixpkgs}", "--no-write-lock-file"]
    # Older ones check all systems anyway.
    if "--all-systems" in _run(["nix", *features, "flake", "check", "--help"]):
        argv.append("--all-systems")
    _run(argv)


def expression(value) -> str:
    """A Nix expression for a Python value; a Path becomes a path, so that it can be imported."""
    if isinstance(value, Path):
        return f"(/. + {_string(str(value))})"
    if isinstance(value, dict):
        return "{ " + "".join(f"{_string(k)} = {expression(v)}; " for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[ " + " ".join(expression(item) for item in value) + " ]"
    if isinstance(value, str):
        return _string(value)
    return json.dumps(value)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")


def _run(argv: list[str]) -> str:
    # The user's own settings could ask for substituters or a daemon.
    environment = dict(os.environ, NIX_CONFIG="", NIX_USER_CONF_FILES="/dev/null", NIX_PATH="")
    done = subprocess.run(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise EvaluationError(done.stderr.strip())
    return done.stdout
