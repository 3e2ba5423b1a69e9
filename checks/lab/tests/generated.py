"""What the generator makes for an archiver `archiver` that the hosts `desktop` and `laptop` use."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.lab import process
from checks.lab.instance import Login
from checks.lab.product import binary


@dataclass(frozen=True)
class Archiver:
    """The files, and who may enter by them."""

    folder: Path

    def generate(self, **settings: Any) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "dormouse.json").write_text(json.dumps(spec(**settings)))
        first = ["--spec", str(self.folder / "first.json"), *self._seed]
        process.run([str(binary("dormouse-generate")), "init", "--host", "desktop", *first])
        self.write()

    def respecify(self, **settings: Any) -> None:
        """Changes the spec and what depends on it; the keys stay."""
        (self.folder / "dormouse.json").write_text(json.dumps(spec(**settings)))
        self.write()

    def write(self) -> None:
        inputs = ["--spec", str(self.folder / "dormouse.json"), *self._seed]
        outputs = ["--out", str(self.folder / "generated"), "--secrets", str(self.folder / "secrets")]
        process.run([str(binary("dormouse-generate")), *inputs, *outputs])

    @property
    def _seed(self) -> list[str]:
        return ["--seed", str(self.folder / "seed")]

    @property
    def user_data(self) -> bytes:
        return (self.folder / "secrets/archivers/archiver/user-data").read_bytes()

    @property
    def script(self) -> bytes:
        """User data by which a public image becomes the configuration, as without `bake`."""
        script = bake_script(self, self.private_key, self.host_key).splitlines(keepends=True)
        return b"".join(line for line in script if not line.startswith(b"systemd-run"))

    @property
    def configuration(self) -> str:
        return (self.folder / "generated/archivers/archiver/configuration.nix").read_text()

    @property
    def private_key(self) -> str:
        return (self.folder / "secrets/archivers/archiver/ssh_host_ed25519_key").read_text()

    @property
    def host_key(self) -> str:
        line = (self.folder / "generated/keys/archivers/archiver.pub").read_text()
        return " ".join(line.split()[:2])

    def admin(self, host_key: str | None = None) -> Login:
        return Login("root", self.folder / "secrets/admin/id_ed25519", host_key or self.host_key)

    def host(self, name: str) -> Login:
        return Login(f"dormouse-{name}", self.folder / f"secrets/hosts/{name}/id_ed25519", self.host_key)


def spec(**settings: Any) -> dict[str, Any]:
    provider = {"type": "ec2", "region": "us-west-2", "availability_zone": "us-west-2d"}
    provider |= {"instance_type": "t3.small", "image": {"nixos": "26.05"}}
    volume = {"type": "sc1", "size_gib": 125, "encrypted": True}
    archiver = {"provider": provider, "volume": volume, "pool": {"name": "archive"}, **settings}
    # Hosts that share an archiver need an image of its own.
    is_baked = archiver["provider"]["image"].get("bake", True)
    names = ("desktop", "laptop") if is_baked else ("desktop",)
    hosts = {name: {"replications": {"safe": replication(name)}} for name in names}
    return {"version": 1, "name": "lab", "archivers": {"archiver": archiver}, "hosts": hosts}


def replication(host: str) -> dict[str, Any]:
    paths = {"source": "tank/safe", "target": f"archive/{host}/safe"}
    return {"archiver": "archiver", **paths, "recursive": True}


def bake_script(archiver: Archiver, private: str, public: str) -> bytes:
    """The user data with which `dormouse up` has a public image become the configuration."""
    one_line = private.replace("\n", "|")
    return f"""#!/usr/bin/env bash
: <<'DORMOUSE_KEYS'
SSH_HOST_ED25519_KEY:{one_line}
SSH_HOST_ED25519_KEY_PUB:{public}
DORMOUSE_KEYS
set -eu
systemd-run --unit=dormouse-bake-limit --on-active=7200 systemctl poweroff
cat >/etc/nixos/configuration.nix <<'DORMOUSE_CONFIGURATION'
{archiver.configuration}
DORMOUSE_CONFIGURATION
nixos-rebuild switch
""".encode()
