"""The comparisons find a difference: each control changes one generated value, and must be seen."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from examples import Example

# A file, a pattern in it and what takes its place.
HOST = "hosts/desktop/nixos.nix"
HOST_CONTROLS = [
    (HOST, r'localFilesystem = "[^"]*"', 'localFilesystem = "rpool/other"'),
    (HOST, r'remoteFilesystem = "[^"]*"', 'remoteFilesystem = "archive/other"'),
    (HOST, r"timeout = \d+", "timeout = 1"),
    (HOST, r"daily = \d+", "daily = 1"),
    (HOST, r'after = \[ "\w+"', "after = ["),
    (HOST, r"recursive = true", "recursive = false"),
    (HOST, r'username = "[^"]*"', 'username = "root"'),
    (HOST, r'identityFilePath = "[^"]*"', 'identityFilePath = "/root/.ssh/id_ed25519"'),
    (HOST, r'secretsDir = "[^"]*"', 'secretsDir = "/tmp"'),
    (HOST, r'publicKey = "ssh-ed25519 \w{10}', 'publicKey = "ssh-ed25519 AAAAAAAAAA'),
    (HOST, r'hostNames = \[ "[^"]*"', "hostNames = ["),
    (HOST, r"alertAfter = \d+", "alertAfter = 1"),
    (HOST, r'apiKeyFile = "[^"]*"', 'apiKeyFile = "/etc/key"'),
]

ARCHIVER = "archivers/archiver/configuration.nix"
ARCHIVER_CONTROLS = [
    (ARCHIVER, r'hostId = "\w', 'hostId = "'),
    (ARCHIVER, r'hostName = "', 'hostName = "other-'),
    (ARCHIVER, r"port = \d+", "port = 2222"),
    (ARCHIVER, r"linger = \d+", "linger = 1"),
    (ARCHIVER, r"maxLifetime = \d+", "maxLifetime = 1"),
    (ARCHIVER, r"scrubPeriod = \d+", "scrubPeriod = 1"),
    (ARCHIVER, r'pool = "', 'pool = "other'),
    (ARCHIVER, r'key = "ssh-ed25519 \w{10}', 'key = "ssh-ed25519 AAAAAAAAAA'),
    (ARCHIVER, r'adminKey = "ssh-ed25519 \w{10}', 'adminKey = "ssh-ed25519 AAAAAAAAAA'),
    (ARCHIVER, r'targets = \[ "', 'targets = [ "other/'),
    (ARCHIVER, r"amazon-init.enable = false", "amazon-init.enable = true"),
    (ARCHIVER, r"PasswordAuthentication = false", "PasswordAuthentication = true"),
    (ARCHIVER, r'AllowUsers = \[ "root" \]', 'AllowUsers = [ "root" "guest" ]'),
    (ARCHIVER, r"dormouse-idle = {", "idle = {"),
    (ARCHIVER, r"zpool export", "zpool status"),
    (ARCHIVER, r'escapeShellArg "\$', 'escapeShellArg "dormouse-$'),
]


HOME = "hosts/desktop/home.nix"
HOME_CONTROLS = [
    (HOME, r'User = "[^"]*"', 'User = "root"'),
    (HOME, r'HostKeyAlias = "[^"]*"', 'HostKeyAlias = "other"'),
    (HOME, r'StrictHostKeyChecking = "yes"', 'StrictHostKeyChecking = "no"'),
    (HOME, r"settings = blocks", "settings = { }"),
    (HOME, r"inherit host extraOptions", "inherit host; extraOptions = { }"),
]

SYNTAX_CONTROLS = [
    (HOST, r"enable = true;", "enable = true"),
    (HOME, r"\}\s*$", ""),
]


def problems(example: Example, controls: list, check: Callable[[Example], Iterator[str]]) -> Iterator[str]:
    """Controls that `check` does not notice."""
    for path, pattern, text in controls:
        if not (example.generated / path).is_file():
            yield f"control: there is no {path}"
            continue
        with tempfile.TemporaryDirectory() as folder:
            generated = Path(shutil.copytree(example.generated, Path(folder) / "generated"))
            # Without a manifest, so that it is the comparison that finds the change.
            (generated / "manifest.json").unlink()
            changed, count = re.subn(pattern, text, (generated / path).read_text(), count=1)
            (generated / path).write_text(changed)
            if count == 0:
                yield f"control: {path} has no {pattern!r}"
            elif not list(check(replace(example, generated=generated))):
                yield f"control: {path}: {text!r} in place of {pattern!r} is not noticed"
