"""The product with an archiver that sleeps: an instance of the lab's EC2."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.lab import callers, wait
from checks.lab.ec2 import cloud
from checks.lab.ec2.cloud import Cloud
from checks.lab.ec2.ec2 import REGION, ZONE
from checks.lab.ec2.instance_vm import InstanceVm
from checks.lab.lab import Lab
from checks.lab.process import Result
from checks.lab.product import BINARY, FOLDER, Product

# What only the administrator has. Hosts have a folder of their own, without archivers' keys.
ADMIN_SECRETS = "/root/admin/secrets"
LINGER = 30
# What an instance needs to notice that it is idle, and to power off.
GRACE = 60


@dataclass
class Sleeper(Product):
    """Its archiver is nowhere until it is woken."""

    cloud: Cloud = field(kw_only=True)
    admin_secrets: str = field(default=ADMIN_SECRETS, kw_only=True)
    provider: dict[str, Any] = field(default_factory=dict, kw_only=True)
    # Hosts that are only in the spec.
    others: int = field(default=0, kw_only=True)
    # Whether the last set-up came to its end.
    is_set_up: bool = field(default=False, kw_only=True)

    def generate(self) -> None:
        super().generate()
        callers.register(self.cloud.ec2, self.generated)

    def install(self) -> None:
        """What a user brings to the host, and what the administrator has there in these tests."""
        self.install_home()
        self._unpack(self.admin_secrets, {name: self.secrets / name for name in ("admin", "archivers", "hosts")})

    def make_spec(self) -> dict[str, Any]:
        provider = {"type": "ec2", "region": REGION, "availability_zone": ZONE, "instance_type": "t3.small"}
        provider |= {"image": {"nixos": "26.05"}, "ssh_from": ["10.77.0.0/24"], **self.provider}
        archiver: dict[str, Any] = {"provider": provider, "volume": {"size_gib": 125}, "pool": {"name": "vault"}}
        archiver |= {"linger": f"{LINGER}s", "max_lifetime": "1h", **self.settings}
        hosts: dict[str, Any] = {"home": {"replications": self.replications}}
        for name in (f"other-{number:03}" for number in range(self.others)):
            paths = {"source": "tank/safe", "target": f"vault/{name}/safe"}
            hosts[name] = {"replications": {"safe": {"archiver": "archiver", **paths}}}
        return {"version": 1, "name": "lab", "archivers": {"archiver": archiver}, "hosts": hosts}

    def argv(self, *arguments: str) -> list[str]:
        variables = self.cloud.ec2.environment_of(callers.key_for(arguments))
        environment = [f"{name}={value}" for name, value in variables.items()]
        if callers.is_administrator(arguments):
            arguments = ("--secrets", self.admin_secrets, *arguments)
        return ["env", *environment, *super().argv(*arguments)]

    def up(self) -> None:
        self.is_set_up = False
        done = self.run("up", "--yes", "archiver", timeout=900)
        assert done.code == 0, done
        assert self.is_asleep()
        self.is_set_up = True

    def ssh(self, *argv: str, timeout: float = 300) -> Result:
        """What a person types at home."""
        return self.lab.home.run(self.ssh_argv(*argv), timeout=timeout, check=False)

    def as_admin(self, *argv: str) -> list[str]:
        """What whoever has the administrator's key types at home."""
        return self.ssh_argv("-i", f"{self.admin_secrets}/admin/id_ed25519", "root@archiver", *argv)

    def ssh_argv(self, *argv: str) -> list[str]:
        """ssh starts dormouse as its ProxyCommand, by name."""
        config = f"{FOLDER}/generated/hosts/home/ssh_config"
        environment = {**self.cloud.ec2.environment_of(callers.HOST), "DORMOUSE_SPEC": f"{FOLDER}/dormouse.json"}
        environment["PATH"] = f"{Path(BINARY).parent}:/usr/sbin:/usr/bin"
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["env", *variables, "ssh", "-F", config, *argv]

    def is_asleep(self) -> bool:
        return not self.cloud.ec2.alive()

    def wait_asleep(self, seconds: float = LINGER + GRACE) -> None:
        wait.until(self.is_asleep, "the archiver is asleep", seconds, 1)

    def volumes(self) -> list[str]:
        return list(self.cloud.ec2.region().volumes)


@contextmanager
def clouded(lab: Lab, folder: Path) -> Iterator[Cloud]:
    """An EC2 in the lab's network whose instances are what a NixOS image is."""
    key = lab.folder / "controller"
    with cloud.opened(lab.network, folder, key, saves_images=True, kind=NixosVm) as opened:
        yield opened


class NixosVm(InstanceVm):
    """An instance that asks EC2 for its user data, and becomes what they say."""

    is_instance = True

