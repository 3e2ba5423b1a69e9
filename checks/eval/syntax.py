"""Every .nix file parses: the repository's, and those that are generated."""

from collections.abc import Iterator
from pathlib import Path

from examples import Example
from nix import REPOSITORY, EvaluationError, parse

FOLDERS = ["checks", "modules", "nix", "templates"]


def problems(example: Example) -> Iterator[str]:
    """Generated files that do not parse."""
    return unparsable(sorted(example.generated.rglob("*.nix")))


def problems_of_repository() -> Iterator[str]:
    """Files of the repository that do not parse."""
    files = [file for folder in FOLDERS for file in sorted((REPOSITORY / folder).rglob("*.nix"))]
    return unparsable([REPOSITORY / "flake.nix", *files])


def unparsable(files: list[Path]) -> Iterator[str]:
    """The files that Nix cannot read; none at all is a problem too."""
    if not files:
        yield "there is no .nix file"
    for file in files:
        try:
            parse(file)
        except EvaluationError as error:
            yield f"{file}: {error}"
