"""docs/options.md is what the modules' options say."""

import os
import re
from collections.abc import Iterator

from nix import REPOSITORY, evaluate

FILE = REPOSITORY / "docs" / "options.md"

HEAD = """# Options

Of the NixOS module (`services.dormouse`) and the home-manager module (`programs.dormouse`). Written
from the modules by `DORMOUSE_BLESS=1 checks/nix-checks.sh`; change their descriptions instead.

On NixOS you set few of them: `generated/hosts/<host>/nixos.nix`, which `dormouse-generate` writes,
sets everything that the spec says, and a definition of yours that contradicts the spec is refused.
What the spec does not hold is yours to set: `awsCredentialsFile`, `jitter`, `audit`, `onFailure`,
`package`, `sshPath`, and more commands in `execStartPre` and `execStopPost`.
"""


def problems() -> Iterator[str]:
    """A sentence when the file is stale."""
    options = evaluate("reference.nix")
    sections = ("NixOS", options["nixos"]), ("home-manager", options["home"])
    text = HEAD + "".join(f"\n## {title}\n{''.join(map(entry, found))}" for title, found in sections)
    if "DORMOUSE_BLESS" in os.environ:
        FILE.write_text(text)
    if not FILE.exists() or FILE.read_text() != text:
        yield f"{FILE} is stale: DORMOUSE_BLESS=1 checks/nix-checks.sh"


def entry(option: dict) -> str:
    """An option's part of the file."""
    lines = [f"### `{option['name']}`", "", plain(option["description"]), ""]
    lines.append(f"- Type: {option['type']}")
    lines.append("- Required" if option["isRequired"] else f"- Default: {shown(option['default'])}")
    if option["example"] is not None:
        lines.append(f"- Example: {shown(option['example'])}")
    return "\n" + "\n".join(lines) + "\n"


def plain(description: str) -> str:
    """NixOS' roles, such as {option}`x`, as plain Markdown."""
    return re.sub(r"\{\w+\}`", "`", description).strip()


def shown(value: str) -> str:
    """A value as code; a sentence stays one."""
    return value if " " in value and not value.startswith(("[", '"', "{")) else f"`{value}`"
