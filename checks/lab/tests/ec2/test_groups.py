"""Security groups are unique by name and stay while they are used."""

from checks.lab.ec2.fixtures import Account, refused


def make(account: Account, name: str) -> str:
    return str(account.api.create_security_group(GroupName=name, Description=name)["GroupId"])


def test_a_name_is_used_once(account: Account) -> None:
    make(account, "dormouse")
    with refused("InvalidGroup.Duplicate"):
        make(account, "dormouse")


def test_a_rule_is_made_once(account: Account) -> None:
    group = make(account, "dormouse")
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.7/32"}]}
    account.api.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    with refused("InvalidPermission.Duplicate"):
        account.api.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])


def test_a_group_stays_until_its_instance_is_terminated(account: Account) -> None:
    group = make(account, "dormouse")
    instance = account.running(SecurityGroupIds=[group])
    assert account.instance(instance)["SecurityGroups"][0]["GroupId"] == group
    with refused("DependencyViolation"):
        account.api.delete_security_group(GroupId=group)
    account.api.terminate_instances(InstanceIds=[instance])
    with refused("DependencyViolation"):
        account.api.delete_security_group(GroupId=group)
    account.clock.advance(31)
    account.api.delete_security_group(GroupId=group)
    with refused("InvalidGroup.NotFound"):
        account.api.delete_security_group(GroupId=group)


def test_an_instance_without_a_group_has_the_default_one(account: Account) -> None:
    instance = account.running()
    assert account.instance(instance)["SecurityGroups"][0]["GroupName"] == "default"
