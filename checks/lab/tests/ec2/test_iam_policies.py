"""Policies say to a request what IAM says."""

import json
from typing import Any

import pytest

from checks.lab.ec2.iam.asked import Asked, dump, load
from checks.lab.ec2.iam.conditions import Condition, MalformedPolicy
from checks.lab.ec2.iam.policy import Policy, decide
from checks.lab.ec2.iam.replay import idle, replay, strange, unnecessary

ARN = "arn:aws:ec2:us-west-2:1:instance/i-1"
ALL = "arn:aws:ec2:us-west-2:*:instance/*"


def policy(*statements: dict[str, Any]) -> Policy:
    return Policy.parse(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def allow(action: str | list[str] = "ec2:StopInstances", resource: Any = ALL, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def asked(
    action: str = "StopInstances", resource: str = ARN, context: dict[str, list[str]] | None = None
) -> Asked:
    return Asked("lab", action, resource, context or {})


def is_allowed(request: Asked, *statements: dict[str, Any]) -> bool:
    return decide([policy(*statements)], request).allowed


def holds(operator: str, wanted: Any, context: dict[str, list[str]], key: str = "k") -> bool:
    values = tuple(wanted) if isinstance(wanted, list) else (wanted,)
    return Condition.parse(operator, key, values).holds(context)


def test_what_no_statement_allows_is_refused() -> None:
    assert is_allowed(asked(), allow())
    assert not is_allowed(asked("StartInstances"), allow())
    assert not is_allowed(asked(resource=ARN.replace("us-west-2", "us-east-1")), allow())
    assert not decide([], asked()).allowed


def test_a_denial_wins() -> None:
    deny = allow() | {"Effect": "Deny"}
    assert decide([policy(allow(), deny)], asked()).forbidden
    assert decide([policy(allow()), policy(deny)], asked()).forbidden
    assert not is_allowed(asked(), deny, allow())


def test_actions_have_wildcards_and_no_case() -> None:
    assert is_allowed(asked(), allow("ec2:stop*"))
    assert is_allowed(asked(), allow("*"))
    assert is_allowed(asked(), allow(["ec2:x", "ec2:S?opInstances"]))
    assert not is_allowed(asked(), allow("s3:*"))


def test_a_wildcard_of_a_resource_ends_with_its_part() -> None:
    assert is_allowed(asked(), allow(resource="arn:aws:ec2:*:*:*/i-?"))
    assert not is_allowed(asked(), allow(resource="arn:*:instance/i-1:::"))
    assert is_allowed(asked("DescribeInstances", "*"), allow("ec2:Describe*", "*"))
    assert not is_allowed(asked("DescribeInstances", "*"), allow("ec2:Describe*", "arn:aws:ec2:*:*:*"))


def test_the_opposite_elements_are_about_everything_else() -> None:
    other = {"Effect": "Allow", "NotAction": "ec2:StopInstances", "NotResource": ALL}
    assert not is_allowed(asked(), other)
    assert not is_allowed(asked("StartInstances"), other)
    assert is_allowed(asked("StartInstances", ARN.replace("instance", "volume")), other)


def test_all_conditions_and_any_value() -> None:
    condition = {"StringEquals": {"a": ["1", "2"], "b": "3"}, "Bool": {"c": "true"}}
    statement = allow(Condition=condition)
    assert is_allowed(asked(context={"a": ["2"], "b": ["3"], "c": ["true"]}), statement)
    assert not is_allowed(asked(context={"a": ["2"], "b": ["4"], "c": ["true"]}), statement)
    assert not is_allowed(asked(context={"a": ["2"], "b": ["3"], "c": ["false"]}), statement)
    assert not is_allowed(asked(context={"a": ["2"], "b": ["3"]}), statement)


def test_the_name_of_a_key_has_no_case_and_its_value_has() -> None:
    statement = allow(Condition={"StringEquals": {"ec2:instancetype": "t3.small"}})
    assert is_allowed(asked(context={"ec2:InstanceType": ["t3.small"]}), statement)
    assert not is_allowed(asked(context={"ec2:InstanceType": ["T3.small"]}), statement)


@pytest.mark.parametrize(
    ("operator", "wanted", "good", "bad"),
    [
        ("StringEquals", "a*", "a*", "ab"),
        ("StringEqualsIgnoreCase", "AB", "ab", "abc"),
        ("StringLike", "a?c*", "abcd", "acd"),
        ("StringNotEquals", ["a", "b"], "c", "b"),
        ("StringNotLike", "a*", "b", "ab"),
        ("ArnLike", "arn:aws:ec2:*:1:launch-template/lt-*", "arn:aws:ec2:x:1:launch-template/lt-1", ARN),
        ("ArnEquals", "arn:aws:ec2:*:1:instance/*", ARN, "arn:aws:ec2:x:y:1:instance/i-1"),
        ("ArnNotLike", ARN, "arn:aws:ec2:x:1:volume/v", ARN),
        ("Bool", "true", "true", "false"),
        ("NumericEquals", "1", "1.0", "2"),
        ("NumericNotEquals", "1", "2", "1"),
        ("NumericLessThan", "8", "7", "8"),
        ("NumericLessThanEquals", "8", "8", "9"),
        ("NumericGreaterThan", "8", "10", "8"),
        ("NumericGreaterThanEquals", "8", "8", "7"),
    ],
)
def test_operators_compare(operator: str, wanted: Any, good: str, bad: str) -> None:
    assert holds(operator, wanted, {"k": [good]})
    assert not holds(operator, wanted, {"k": [bad]})


def test_a_key_that_is_not_there_holds_only_for_operators_that_deny() -> None:
    for operator in (
        "StringEquals",
        "StringLike",
        "Bool",
        "NumericLessThan",
        "ArnLike",
        "ForAnyValue:StringLike",
    ):
        wanted = "true" if operator == "Bool" else "1"
        assert not holds(operator, wanted, {})
    for operator in ("StringNotEquals", "ArnNotLike", "StringEqualsIfExists", "ForAllValues:StringLike"):
        assert holds(operator, "1", {})
    assert not holds("StringEqualsIfExists", "1", {"k": ["2"]})


def test_null_asks_whether_a_key_is_there() -> None:
    assert holds("Null", "true", {})
    assert not holds("Null", "true", {"k": ["x"]})
    assert holds("Null", "false", {"k": ["x"]})
    assert not holds("Null", "false", {})


def test_sets_of_values_are_compared_each_by_itself() -> None:
    tags = {"aws:tagkeys": ["Name", "dormouse:spec"]}
    assert holds("ForAllValues:StringLike", ["Name", "dormouse:*"], tags, "aws:TagKeys")
    assert not holds("ForAllValues:StringEquals", ["Name"], tags, "aws:TagKeys")
    assert holds("ForAnyValue:StringEquals", ["Name"], tags, "aws:TagKeys")
    assert not holds("ForAnyValue:StringEquals", ["other"], tags, "aws:TagKeys")
    assert holds("ForAllValues:StringNotEquals", ["other"], tags, "aws:TagKeys")


@pytest.mark.parametrize(
    "wrong",
    [
        {"Action": "ec2:StopInstances", "Resource": "*"},
        allow() | {"Effect": "allow"},
        allow() | {"Principal": "*"},
        allow() | {"NotAction": "ec2:x"},
        allow(resource="i-1"),
        allow(resource=[]),
        allow("StopInstances"),
        allow(Sid="with space"),
        allow(Condition={"DateEquals": {"k": "x"}}),
        allow(Condition={"ForSomeValues:StringLike": {"k": "x"}}),
        allow(Condition={"NullIfExists": {"k": "true"}}),
        allow(Condition={"Bool": {"k": "yes"}}),
        allow(Condition={"NumericLessThan": {"k": "eight"}}),
        allow(Condition={"StringEquals": {"aws:TagKeys": "Name"}}),
        allow(Condition={"StringEquals": {"k": "${aws:username}"}}),
    ],
)
def test_a_policy_that_aws_or_the_lab_would_not_understand_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedPolicy):
        policy(wrong)


def test_a_document_has_rules_too() -> None:
    for wrong in ({"Statement": [allow()]}, {"Version": "2012-10-17"}, {"Version": "2012-10-17", "x": 1}):
        with pytest.raises(MalformedPolicy):
            Policy.parse(json.dumps(wrong))
    with pytest.raises(MalformedPolicy, match="once"):
        policy(allow(Sid="A"), allow(Sid="A"))
    with pytest.raises(MalformedPolicy, match="6144"):
        policy(allow(resource=[ALL + "x" * 100] * 60))


STOP = allow(Sid="Stop")
START = allow(
    ["ec2:StartInstances", "ec2:RebootInstances"], [ALL, ALL.replace("instance", "volume")], Sid="Start"
)
OWN = allow("ec2:*", Sid="Own", Condition={"StringEquals": {"aws:ResourceTag/a": "b"}})
LIFE = [asked(), asked("StartInstances"), asked("StartInstances", context={"aws:ResourceTag/a": ["c"]})]


def test_recorded_requests_can_be_asked_again() -> None:
    assert replay(LIFE, policy(STOP, START)) == []
    assert replay(LIFE, policy(STOP)) == LIFE[1:]
    assert load(dump([*LIFE, *LIFE])) == LIFE


def test_a_statement_without_which_all_is_the_same_is_unnecessary() -> None:
    assert unnecessary(LIFE, policy(STOP, START)) == []
    assert unnecessary(LIFE, policy(STOP, START, OWN)) == ["Own"]
    assert unnecessary(LIFE[:1], policy(STOP, START)) == ["Start"]
    assert unnecessary(LIFE, policy(STOP, START, START | {"Sid": "Again"})) == ["Start", "Again"]
    deny = allow(resource=ALL.replace("instance", "volume"), Sid="Deny") | {"Effect": "Deny"}
    assert unnecessary(LIFE, policy(STOP, START, deny)) == ["Deny"]


def test_actions_and_resources_that_nothing_asks_for_are_idle() -> None:
    volume = ALL.replace("instance", "volume")
    assert idle(LIFE, policy(STOP, START)) == [("Start", "ec2:RebootInstances"), ("Start", volume)]
    assert idle(LIFE, policy(OWN)) == [("Own", "ec2:*"), ("Own", ALL)]


def test_what_is_said_in_vain_is_found() -> None:
    assert strange(policy(STOP, OWN, allow("ec2:Describe*", "*"))) == []
    assert strange(policy(allow("ec2:StopInstance", Sid="A"))) == ["A: ec2:StopInstance"]
    size = {"NumericLessThan": {"ec2:VolumeSize": "9"}, "StringEquals": {"aws:RequestedRegion": "x"}}
    volume = ALL.replace("instance", "volume")
    both = allow("ec2:RunInstances", [ALL, volume], Sid="A", Condition=size)
    assert strange(policy(both)) == [f"A: ec2:volumesize of {ALL}"]
    tag = {"StringEquals": {"aws:ResourceTag/a": "b"}}
    assert strange(policy(allow("ec2:RunInstances", Sid="A", Condition=tag))) == [
        f"A: aws:resourcetag/a of {ALL}"
    ]
