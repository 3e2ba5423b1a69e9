"""The policies of each access key, and a record of all that was asked of them."""

from collections import defaultdict

from checks.lab.ec2.form import Form
from checks.lab.ec2.iam.asked import Asked
from checks.lab.ec2.iam.calls import requests
from checks.lab.ec2.iam.launches import Doubts
from checks.lab.ec2.iam.policy import Decision, Policy, decide
from checks.lab.ec2.iam.resources import Caller
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region

# For a caller whose requests are wanted on record, and who may do everything.
EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


class Authority:
    """Who may do what. A key without a policy may do everything, and is not on record."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._policies: dict[str, list[Policy]] = defaultdict(list)
        self.asked: list[Asked] = []
        self.doubts = Doubts()

    def allow(self, access_key: str, *documents: str) -> None:
        """Attaches these policies to a key, in addition to those it already has."""
        self._policies[access_key] += [Policy.parse(each) for each in documents]

    def forget(self, access_key: str) -> None:
        """The key may do everything again."""
        self._policies.pop(access_key, None)

    def arn(self, access_key: str) -> str:
        return f"arn:aws:iam::{self._account}:user/{access_key}"

    def asked_by(self, access_key: str) -> list[Asked]:
        return [each for each in self.asked if each.caller == self.arn(access_key)]

    def check(self, access_key: str, region: Region, form: Form) -> None:
        """Refuses a call unless its caller's policies allow all that it asks for."""
        if access_key not in self._policies:
            return
        caller = Caller(self.arn(access_key), region)
        wanted = requests(region, form, self.doubts)
        asked = [caller.asks(action, resource) for action, resource in wanted]
        self.asked += asked
        for each in asked:
            decision = decide(self._policies[access_key], each)
            if not decision.allowed:
                raise Refusal("UnauthorizedOperation", message(each, decision))


def message(asked: Asked, decision: Decision) -> str:
    action = f"ec2:{asked.action}"
    on = "" if asked.resource == "*" else f" on resource: {asked.resource}"
    why = f"because no identity-based policy allows the {action} action"
    if decision.forbidden:
        why = "with an explicit deny in an identity-based policy"
    said = f"User: {asked.caller} is not authorized to perform: {action}{on} {why}."
    return f"You are not authorized to perform this operation. {said}"
