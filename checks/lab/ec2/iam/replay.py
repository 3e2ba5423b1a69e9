"""Recorded requests against other policies: which would be refused, and what the policies could do without."""

from collections.abc import Iterable

from checks.lab.ec2.iam import reference
from checks.lab.ec2.iam.asked import Asked
from checks.lab.ec2.iam.conditions import is_like
from checks.lab.ec2.iam.policy import Policy, Statement, acts, covers, decide


def replay(requests: Iterable[Asked], policy: Policy) -> list[Asked]:
    """The requests that the policy refuses."""
    return [each for each in requests if not decide([policy], each).allowed]


def unnecessary(requests: Iterable[Asked], policy: Policy) -> list[str]:
    """The Sids of statements without which each of the requests is decided as with them."""
    requests = list(requests)
    refused = replay(requests, policy)
    sids = [statement.sid for statement in policy.statements]
    return [sid for sid in sids if replay(requests, policy.without(sid)) == refused]


def idle(requests: Iterable[Asked], policy: Policy) -> list[tuple[str, str]]:
    """The actions and resources in statements, each with its Sid, that match none of the requests."""
    requests = list(requests)
    found: list[tuple[str, str]] = []
    for statement in policy.statements:
        met = [each for each in requests if statement.is_about(each)]
        unused = [] if statement.not_actions else unused_actions(statement, met)
        unused += [] if statement.not_resources else unused_resources(statement, met)
        found += [(statement.sid, each) for each in unused]
    return found


def unused_actions(statement: Statement, met: list[Asked]) -> list[str]:
    return [each for each in statement.actions if not any(acts(each, asked.action) for asked in met)]


def unused_resources(statement: Statement, met: list[Asked]) -> list[str]:
    return [each for each in statement.resources if not any(covers(each, asked.resource) for asked in met)]


def strange(policy: Policy) -> list[str]:
    """What a policy says in vain: actions that EC2 has not, and keys that it never tells about a resource."""
    return [f"{each.sid}: {said}" for each in policy.statements for said in in_vain(each)]


def in_vain(statement: Statement) -> list[str]:
    if statement.not_actions:
        return []
    actions = [name for name in reference.actions() if any(acts(each, name) for each in statement.actions)]
    keys = {condition.key for condition in statement.conditions if not condition.holds({})}
    found = reference.strangers(list(statement.actions))
    for resource in statement.resources:
        told = {key for name in actions for key in told_keys(name, kind_of(statement, resource))}
        found += [f"{key} of {resource}" for key in sorted(keys) if key.partition("/")[0] not in told]
    return found


def kind_of(statement: Statement, resource: str) -> str:
    """The kind of resource that an ARN names; `*` may be any."""
    return "*" if statement.not_resources else resource.rpartition(":")[2].partition("/")[0]


def told_keys(action: str, kind: str) -> set[str]:
    """The keys, without what follows a slash, that AWS tells about a kind of resource."""
    rows = reference.actions()[action]
    keys = {key for row, told in rows.items() if is_like(row, kind) or row == "" for key in told}
    return {key.lower().partition("/")[0] for key in {*keys, *reference.EVERYWHERE}}
