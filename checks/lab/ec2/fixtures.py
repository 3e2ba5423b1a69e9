"""Fixtures for tests of the API: a clock that only moves when it is told, and boto3."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from checks.lab.ec2 import ec2 as lab_ec2
from checks.lab.ec2.clock import Clock
from checks.lab.ec2.ec2 import ACCESS_KEY, REGION, ZONE, Ec2
from checks.lab.ec2.imaginary import Imaginary
from checks.lab.ec2.nixos_images import NIXOS, image_id
from checks.lab.ec2.timing import AS_IN_EC2

IMAGE = image_id(REGION, "nixos/26.05.1093.4aa6836c1f2e-x86_64-linux")
ARM_IMAGE = image_id(REGION, "nixos/26.05.1093.4aa6836c1f2e-aarch64-linux")
__all__ = ["ARM_IMAGE", "IMAGE", "NIXOS", "REGION", "ZONE", "Account", "account", "refused"]


def client(endpoint: str, access_key: str = ACCESS_KEY) -> Any:
    """boto3 that does not retry, so that a test sees every single answer."""
    return boto3.client(
        "ec2",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key="lab",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )


@contextmanager
def refused(code: str, message: str = ".") -> Iterator[None]:
    """The call within is refused with exactly this code."""
    with pytest.raises(ClientError, match=message) as error:
        yield
    assert error.value.response["Error"]["Code"] == code, error.value


@dataclass
class Account:
    """One's own EC2 and a client of it."""

    ec2: Ec2
    api: Any
    clock: Clock
    machines: Imaginary

    def run(self, **parameters: Any) -> str:
        """Launches an instance and returns its id at once."""
        defaults = {
            "ImageId": IMAGE,
            "InstanceType": "t3.small",
            "MinCount": 1,
            "MaxCount": 1,
            "Placement": {"AvailabilityZone": ZONE},
        }
        answer = self.api.run_instances(**{**defaults, **parameters})
        return str(answer["Instances"][0]["InstanceId"])

    def running(self, **parameters: Any) -> str:
        """Launches an instance and lets it boot."""
        instance = self.run(**parameters)
        self.clock.advance(60)
        assert self.state(instance) == "running"
        return instance

    def volume(self, **parameters: Any) -> str:
        """Makes a volume and lets it become available."""
        defaults = {"AvailabilityZone": ZONE, "Size": 500, "VolumeType": "sc1"}
        volume = self.api.create_volume(**{**defaults, **parameters})["VolumeId"]
        self.clock.advance(10)
        return str(volume)

    def attached(self, volume: str, instance: str) -> None:
        self.api.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.clock.advance(10)

    def instance(self, instance: str) -> dict[str, Any]:
        found = self.api.describe_instances(InstanceIds=[instance])
        return dict(found["Reservations"][0]["Instances"][0])

    def state(self, instance: str) -> str:
        return str(self.instance(instance)["State"]["Name"])

    def describe_volume(self, volume: str) -> dict[str, Any]:
        return dict(self.api.describe_volumes(VolumeIds=[volume])["Volumes"][0])

    def volume_state(self, volume: str) -> str:
        return str(self.describe_volume(volume)["State"])


@pytest.fixture
def account() -> Iterator[Account]:
    clock, machines = Clock(stopped=True), Imaginary()
    with lab_ec2.opened(machines, clock=clock, timing=AS_IN_EC2) as ec2:
        yield Account(ec2, client(ec2.endpoint), clock, machines)
