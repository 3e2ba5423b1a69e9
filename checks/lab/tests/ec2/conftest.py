"""An EC2 account of its own for each test of the API."""

from checks.lab.ec2.fixtures import account

__all__ = ["account"]
