"""The lab's EC2 is reached inside the lab's network, and from nowhere else."""

import sys
from collections.abc import Iterator

import pytest

from checks.lab import network, owner, process
from checks.lab.ec2 import ec2
from checks.lab.ec2.ec2 import Ec2
from checks.lab.network import Network

DESCRIBE = "import boto3; print(boto3.client('ec2').describe_instances()['Reservations'])"


@pytest.fixture
def net() -> Iterator[Network]:
    with network.opened(owner.new_name()) as opened:
        yield opened


@pytest.fixture
def inner(net: Network) -> Iterator[Ec2]:
    with ec2.opened(network=net) as opened:
        yield opened


def describe(inner: Ec2) -> list[str]:
    variables = [f"{key}={value}" for key, value in inner.environment.items()]
    return ["env", *variables, "AWS_MAX_ATTEMPTS=1", sys.executable, "-c", DESCRIBE]


def test_the_api_is_reached_inside_only(net: Network, inner: Ec2) -> None:
    assert inner.endpoint.startswith("http://10.77.0.1:")
    assert process.run(net.inside(describe(inner))).stdout == "[]\n"
    assert process.run(describe(inner), check=False).code != 0


def test_the_metadata_service_has_the_address_of_ec2(net: Network, inner: Ec2) -> None:
    ask = f"import urllib.request as r; r.urlopen('{inner.metadata_endpoint}/latest/user-data')"
    answer = process.run(net.inside([sys.executable, "-c", ask]), check=False)
    assert inner.metadata_endpoint == "http://169.254.169.254:80"
    assert "404" in answer.stderr
