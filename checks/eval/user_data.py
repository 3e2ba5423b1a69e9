"""user-data is what the image's boot services take it for: a host key, and a configuration.

The services are those of a nixpkgs tree when there is one, else the lab's, which have their rules.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compare import same
from examples import Example
from nix import REPOSITORY, EvaluationError, evaluate, parse

# What EC2 takes, before base64.
MAX_BYTES = 16384

LAB = REPOSITORY / "checks" / "lab" / "guest" / "ec2" / "files" / "usr" / "local" / "lib" / "lab" / "ec2"

# What the services write below.
FOLDERS = ["/etc/ec2-metadata", "/etc/nixos", "/etc/ssh", "/root"]

# Changes that the services misread, each of which must be noticed.
CONTROLS = [
    ("a bar above the key", lambda text: "# a|b\n" + text),
    ("the key as a comment", lambda text: text.replace("SSH_HOST_ED25519_KEY:", "# SSH_HOST_ED25519_KEY:")),
    ("no public key", lambda text: text.replace("SSH_HOST_ED25519_KEY_PUB:", "# ")),
    ("no script", lambda text: text.replace("#!/usr/bin/env bash\n", "")),
    ("half a configuration", lambda text: text.replace("DORMOUSE_CONFIGURATION\ngzip", "gzip")),
    ("keys alone", lambda text: "\n".join(line for line in text.splitlines() if line.startswith("SSH_"))),
    ("too many bytes", lambda text: text + "#" * MAX_BYTES),
]


@dataclass
class Image:
    """The scripts of an image's boot services."""

    apply: str
    init: str

    @classmethod
    def get(cls, nixpkgs: Path | None) -> "Image":
        if nixpkgs:
            return cls(**evaluate("image.nix", nixpkgs=nixpkgs))
        return cls((LAB / "apply-data").read_text(), (LAB / "amazon-init").read_text())

    def boot(self, user_data: str, folder: Path) -> list[str]:
        """Runs the services below `folder`; returns how they called NixOS' programs."""
        for name in FOLDERS:
            (folder / name[1:]).mkdir(parents=True)
        user_data = user_data.replace("/etc/nixos", f"{folder}/etc/nixos")
        (folder / "etc/ec2-metadata/user-data").write_text(user_data)
        calls = folder / "calls"
        calls.touch()
        for program in ("nixos-rebuild", "nix-channel"):
            stand_in = folder / program
            stand_in.write_text(f'#!/bin/sh\necho {program} "$@" >>{calls}\n')
            stand_in.chmod(0o755)
        environment = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")
        for script in (self.apply, self.init):
            for name in FOLDERS:
                script = script.replace(name, f"{folder}{name}")
            argv = ["bash", "-euc", script]
            subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return calls.read_text().splitlines()


def problems(example: Example, nixpkgs: Path | None = None) -> Iterator[str]:
    """What an image would misread in the user data of the example's archivers."""
    image = Image.get(nixpkgs)
    for file in sorted(example.secrets.glob("archivers/*/user-data")):
        name = file.parent.name
        for problem in misread(image, example, name, file.read_text()):
            yield f"{example.name}: archiver {name}: {problem}"


def control(example: Example) -> Iterator[str]:
    """Wrong user data that pass."""
    image = Image.get(None)
    file = next(example.secrets.glob("archivers/*/user-data"))
    for what, change in CONTROLS:
        if not list(misread(image, example, file.parent.name, change(file.read_text()))):
            yield f"user data with {what} are taken"


def misread(image: Image, example: Example, name: str, user_data: str) -> Iterator[str]:
    """What is wrong with one archiver's user data."""
    size = len(user_data.encode())
    if size > MAX_BYTES:
        yield f"it has {size} bytes, and EC2 takes {MAX_BYTES}"
    with tempfile.TemporaryDirectory(prefix="dormouse-image-") as temporary:
        folder = Path(temporary)
        try:
            calls = image.boot(user_data, folder)
        except subprocess.CalledProcessError as error:
            yield f"a boot service fails: {error.stderr.decode()}"
            return
        # No channel is set, so the image's own nixpkgs is used, and the system rebuilt once; a baked one is the
        # configuration already.
        bakes = example.spec["archivers"][name]["provider"]["image"]["bake"]
        yield from same("calls", calls, [] if bakes else ["nixos-rebuild switch"])
        if (folder / "root/.nix-channels").exists():
            yield "a line is taken for a channel"
        configuration = folder / "etc/nixos/configuration.nix"
        if bakes:
            if configuration.exists():
                yield "it brings a configuration"
        elif not configuration.exists():
            yield "it is not taken for a configuration"
        else:
            yield from unparsable(configuration)
        key = folder / "etc/ssh/ssh_host_ed25519_key"
        public = example.public_key("archivers", name)
        yield from same("host key", derived(key), public)
        given = key.with_suffix(".pub")
        found = " ".join(given.read_text().split()[:2]) if given.exists() else None
        yield from same("public host key", found, public)


def unparsable(file: Path) -> Iterator[str]:
    """A sentence when Nix cannot read the file."""
    try:
        parse(file)
    except EvaluationError as error:
        yield str(error)


def derived(key: Path) -> str | None:
    """The public half of a private key that the image wrote."""
    if not key.exists() or not shutil.which("ssh-keygen"):
        return None
    done = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()[:2]) if done.returncode == 0 else done.stderr
