"""The product on the machines, put there as its user would put it.

The generator runs on the controller, as it does on a person's computer; what it
makes for the home host and for the archiver is carried there.
"""

import io
import json
import os
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.lab import process
from checks.lab.lab import Lab
from checks.lab.process import Result
from checks.lab.remote import Running

BINARY = "/usr/local/bin/dormouse"
FOLDER = "/lab"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
# Where dormouse and the generated ssh_config look when nobody says otherwise.
SECRETS = "/root/.local/state/dormouse/lab/secrets"


class MissingBinary(Exception):
    """A program of ours that should be tested was not built."""


def binary(name: str) -> Path:
    """Where the programs under test are: DORMOUSE_BIN_DIR says it."""
    folder = os.environ.get("DORMOUSE_BIN_DIR")
    if not folder or not (Path(folder) / name).is_file():
        raise MissingBinary(
            f"no {name} in DORMOUSE_BIN_DIR={folder or ''}: run `cargo build`,"
            " then set DORMOUSE_BIN_DIR to the folder with its programs"
        )
    return Path(folder) / name


def check_binaries() -> None:
    for name in ("dormouse", "dormouse-generate"):
        binary(name)


def static_spec(replications: dict[str, Any], address: str) -> dict[str, Any]:
    """A spec of one home host and one archiver that is always on."""
    provider = {"type": "static", "address": address, "user": "root"}
    return {
        "version": 1,
        "name": "lab",
        "archivers": {"archiver": {"provider": provider, "pool": {"name": "vault"}}},
        "hosts": {"home": {"replications": replications}},
    }


SAFE = {"archiver": "archiver", "source": "tank/safe", "target": "vault/home/safe", "recursive": True}


@dataclass
class Product:
    """What a test does with the product: install it and run it."""

    lab: Lab
    folder: Path
    replications: dict[str, Any] = field(default_factory=lambda: {"safe": dict(SAFE)})
    home_secrets: str = field(default=SECRETS, kw_only=True)
    # Of the archiver, in the spec.
    settings: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def install(self) -> None:
        """Generates everything and brings each machine its part."""
        self.generate()
        self.install_home()
        self.install_archiver()

    def generate(self) -> None:
        self.spec.write_text(json.dumps(self.make_spec(), indent=2))
        if not self.seed.exists():
            self._make_seed()
        outputs = ["--out", str(self.generated), "--secrets", str(self.secrets)]
        inputs = ["--spec", str(self.spec), "--seed", str(self.seed)]
        process.run([str(binary("dormouse-generate")), *inputs, *outputs])

    def make_spec(self) -> dict[str, Any]:
        spec = static_spec(self.replications, self.lab.archiver.address)
        spec["archivers"]["archiver"] |= self.settings
        return spec

    def install_home(self) -> None:
        home = self.lab.home
        if home.run(["test", "-x", BINARY], check=False).code != 0:
            home.put(BINARY, stripped(binary("dormouse")), 0o755)
        self._unpack(FOLDER, {"dormouse.json": self.spec, "generated": self.generated})
        self._unpack(f"{self.home_secrets}/hosts", {"home": self.secrets / "hosts/home"})

    def install_archiver(self) -> None:
        """What a user does on a machine of theirs: its host key, and who may enter."""
        archiver = self.lab.archiver
        key = self.secrets / "archivers/archiver/ssh_host_ed25519_key"
        allowed = self.generated / "archivers/archiver/authorized_keys"
        archiver.put("/root/.ssh/authorized_keys", allowed.read_bytes())
        # Restarting takes seconds in an emulated machine.
        if archiver.run(["cat", HOST_KEY], check=False).out != key.read_bytes():
            archiver.put(HOST_KEY, key.read_bytes())
            archiver.run(["systemctl", "restart", "ssh.service"])

    def run(self, *arguments: str, timeout: float = 300) -> Result:
        """Runs dormouse at home; what its exit code should be, the test says."""
        return self.lab.home.run(self.argv(*arguments), timeout=timeout, check=False)

    def start(self, *arguments: str) -> Running:
        return self.lab.home.start(self.argv(*arguments))

    def report(self, *arguments: str) -> dict[str, Any]:
        """What dormouse says with --json, which must be one JSON document."""
        document: dict[str, Any] = json.loads(self.run("--json", *arguments).stdout)
        return document

    def argv(self, *arguments: str) -> list[str]:
        return [BINARY, "--spec", f"{FOLDER}/dormouse.json", "--host", "home", *arguments]

    @property
    def spec(self) -> Path:
        return self.folder / "dormouse.json"

    @property
    def seed(self) -> Path:
        """All products of a lab have the same, and so the archiver's machine the same host key."""
        return self.lab.folder / "seed"

    @property
    def generated(self) -> Path:
        return self.folder / "generated"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def _unpack(self, folder: str, files: dict[str, Path]) -> None:
        self.lab.home.run(["mkdir", "-p", folder])
        self.lab.home.run(["tar", "-x", "-C", folder], stdin=packed(files))

    def _make_seed(self) -> None:
        """`init` makes a seed together with a first spec, which we do not use."""
        init = [str(binary("dormouse-generate")), "init", "--host", "home"]
        process.run([*init, "--spec", str(self.folder / "first.json"), "--seed", str(self.seed)])


def packed(files: dict[str, Path]) -> bytes:
    """A tar archive of files and folders under the names that they get."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, path in files.items():
            tar.add(path, arcname=name)
    return buffer.getvalue()


def stripped(program: Path) -> bytes:
    """A program without debugging information: a tenth of the bytes to carry."""
    with tempfile.TemporaryDirectory() as folder:
        process.run(["strip", "-o", f"{folder}/stripped", str(program)])
        return Path(folder, "stripped").read_bytes()
