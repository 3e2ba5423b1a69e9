"""Runs every check and prints one line for each; exits 1 when one fails."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import archiver
import controls
import examples
import flake
import home
import host
import nix
import reference
import refusals
import rollback
import shipped
import store
import syntax
import template
import user_data
import vm


NOT_EVALUATED = """
*** {} NOT evaluated for real: no source tree is at hand. ***
*** Run `checks/nix-eval.sh NIXPKGS HOME_MANAGER`, or set DORMOUSE_NIXPKGS and DORMOUSE_HOME_MANAGER. ***
"""


def tree(variable: str) -> Path | None:
    """The folder that an environment variable names, if it is set."""
    value = os.environ.get(variable)
    return Path(value).resolve() if value else None


class Report:
    """Counts and prints."""

    def __init__(self) -> None:
        self.failed = 0

    def check(self, claim: str, problems: Iterable[str]) -> None:
        """Prints whether `claim` holds, and what speaks against it."""
        start = time.monotonic()
        found = []
        try:
            found += problems
        except nix.EvaluationError as error:
            found.append(str(error))
        self.failed += bool(found)
        print(f"{'FAIL' if found else 'ok':4} {claim} ({time.monotonic() - start:.1f} s)", flush=True)
        for problem in found:
            print("     " + problem.replace("\n", "\n     "))


def of_each(all_examples: list[examples.Example], check: Callable) -> Iterable[str]:
    """The problems that `check` has with any example."""
    return (problem for example in all_examples for problem in check(example))


def stubs(report: Report, specs: list[examples.Example], folder: Path) -> None:
    """What Nix alone can check."""
    by_name = {example.name: example for example in specs}
    report.check("every .nix file of the repository parses", syntax.problems_of_repository())
    report.check("every generated .nix file parses", of_each(specs, syntax.problems))
    report.check("the flake has its outputs, and its lock is one", flake.problems())
    report.check("hosts have the options and units of the spec", of_each(specs, host.problems))
    report.check("units.json shows the units", host.golden())
    report.check("systemd/ has the module's sandbox, as documented", shipped.problems(by_name["home"]))
    report.check("docs/options.md shows the options", reference.problems())
    report.check("archivers have the values of the spec", of_each(specs, archiver.problems))
    report.check("home.nix has the blocks of ssh_config", of_each(specs, home.problems))
    report.check("wrong options and folders are refused", refusals.problems(by_name["home"]))
    report.check("the flake template is whole and fresh", template.problems())
    report.check("the image takes user-data for what they are", of_each(specs, user_data.problems))
    report.check("control: user data that the image misreads are noticed", user_data.control(by_name["awkward"]))
    report.check("a rollback brings back store paths and keys", rollback.problems(folder / "rollback"))
    report.check("no secret reaches the store", of_each(specs, store.problems))
    report.check("control: a planted secret is found", store.control(by_name["home"], folder))
    for what, changes, check in (
        ("file that does not parse", controls.SYNTAX_CONTROLS, syntax.problems),
        ("changed host", controls.HOST_CONTROLS, host.problems),
        ("changed archiver", controls.ARCHIVER_CONTROLS, archiver.problems),
        ("changed home.nix", controls.HOME_CONTROLS, home.problems),
    ):
        report.check(f"control: a {what} is noticed", controls.problems(by_name["home"], changes, check))
    report.check("control: a broken flake.lock is noticed", flake.control())


def systems(report: Report, specs: list[examples.Example], nixpkgs: Path, folder: Path) -> None:
    """What needs a nixpkgs: whole systems."""
    by_name = {example.name: example for example in specs}
    report.check("NixOS: hosts", of_each(specs, lambda example: host.problems(example, nixpkgs)))
    report.check("NixOS: archivers", of_each(specs, lambda example: archiver.problems(example, nixpkgs)))
    report.check("NixOS: refusals", refusals.problems(by_name["home"], nixpkgs))
    report.check("NixOS: the flake template", template.problems(nixpkgs))
    report.check(
        "NixOS: the image's own boot services take user-data for what they are",
        of_each(specs, lambda example: user_data.problems(example, nixpkgs)),
    )
    report.check("NixOS: a rollback brings back the system", rollback.problems(folder / "systems", nixpkgs))
    report.check("NixOS: the machines of checks/vm.nix", vm.problems(nixpkgs))
    if (nixpkgs / "flake.nix").exists():
        report.check("nix flake check, for all systems", flake.evaluated(nixpkgs))


def main() -> int:
    """Generates the examples and checks them."""
    nixpkgs, home_manager = tree("DORMOUSE_NIXPKGS"), tree("DORMOUSE_HOME_MANAGER")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="dormouse-nix-") as folder:
        specs = examples.generate_all(Path(folder))
        if "--systems" not in sys.argv:
            stubs(report, specs, Path(folder))
        if nixpkgs:
            systems(report, specs, nixpkgs, Path(folder))
        if nixpkgs and home_manager:
            check = of_each(specs, lambda example: home.problems(example, nixpkgs, home_manager))
            report.check("home-manager: home.nix", check)
    print(f"{report.failed} failed" if report.failed else "all Nix checks passed")
    if not nixpkgs or not home_manager:
        print(NOT_EVALUATED.format("home.nix was" if nixpkgs else "whole NixOS systems and home.nix were"))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
