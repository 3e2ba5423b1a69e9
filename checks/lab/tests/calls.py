"""The calls of an archiver's whole life, as IAM sees them; `LIFE` is what the last blessed life asked for."""

import os
from pathlib import Path

from checks.lab import callers
from checks.lab.ec2.ec2 import Ec2
from checks.lab.ec2.iam import asked, replay
from checks.lab.ec2.iam.asked import Asked
from checks.lab.ec2.iam.policy import Policy

LIFE = Path(__file__).parent / "suite" / "life.json"
FILES = {callers.HOST: "iam-policy-host.json", callers.ADMINISTRATOR: "iam-policy.json"}


def policy(generated: Path, key: str) -> Policy:
    return Policy.parse((generated / "archivers/archiver" / FILES[key]).read_text())


def by(key: str, requests: list[Asked]) -> list[Asked]:
    """The requests of one caller."""
    return [each for each in requests if each.caller.endswith(f"user/{key}")]


def assert_policies_fit(requests: list[Asked], generated: Path) -> None:
    """The policies allow all of it, say nothing in vain, and each of their statements is needed."""
    for key in FILES:
        found, wanted = policy(generated, key), by(key, requests)
        assert wanted, key
        wrong = {
            "refused": replay.replay(wanted, found),
            "unnecessary": replay.unnecessary(wanted, found),
            "in vain": replay.strange(found),
        }
        assert not any(wrong.values()), (key, wrong)


def assert_policies_fitted(ec2: Ec2, generated: Path) -> None:
    """At the end of a life."""
    if "DORMOUSE_BLESS" in os.environ:
        LIFE.write_text(asked.dump(ec2.authority.asked))
    assert_policies_fit(ec2.authority.asked, generated)
