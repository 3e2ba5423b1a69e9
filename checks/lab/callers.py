"""Who asks the lab's EC2: a host and the administrator, each with the policy that was generated for it."""

import json
from collections.abc import Sequence
from pathlib import Path

from checks.lab.ec2.ec2 import Ec2

HOST = "AKIAHOST"
ADMINISTRATOR = "AKIAADMINISTRATOR"
# The administrator with what the generated policies leave out on purpose, as README.md says.
OWNER = "AKIAOWNER"

LEFT_OUT = ["ec2:DeleteVolume", "ec2:CreateSnapshot", "ec2:CreateTags"]
SETTING_UP = {"up", "down"}
DESTROYING = {"--destroy-data", "--migrate"}
# What the administrator's key at the archiver is for.
ENTERING_AS_ROOT = {"prune", "--file"}


def register(ec2: Ec2, generated: Path) -> None:
    """Gives each its policy; those of an earlier configuration no longer count."""
    folder = generated / "archivers/archiver"
    host, administrator = (
        (folder / f"{name}.json").read_text() for name in ("iam-policy-host", "iam-policy")
    )
    more = {"Effect": "Allow", "Action": LEFT_OUT, "Resource": "*"}
    owner = json.dumps({"Version": "2012-10-17", "Statement": [more]})
    for key, policies in ((HOST, [host]), (ADMINISTRATOR, [administrator]), (OWNER, [administrator, owner])):
        ec2.authority.forget(key)
        ec2.allow(key, *policies)


def key_for(arguments: Sequence[str]) -> str:
    """Whose access key a command is run with."""
    if DESTROYING & {*arguments}:
        return OWNER
    return ADMINISTRATOR if SETTING_UP & {*arguments} else HOST


def is_administrator(arguments: Sequence[str]) -> bool:
    """Whether a command takes the administrator's secrets."""
    return bool((SETTING_UP | ENTERING_AS_ROOT) & {*arguments})
