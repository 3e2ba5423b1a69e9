"""Instances go through EC2's states, at EC2's pace, in step with their machines."""

from checks.lab.ec2.fixtures import Account, refused
from checks.lab.ec2.machines import Power


def by_tag(account: Account) -> list[str]:
    filters = [{"Name": "tag:dormouse:archiver", "Values": ["a"]}]
    found = account.api.describe_instances(Filters=filters)["Reservations"]
    return [instance["InstanceId"] for r in found for instance in r["Instances"]]


def test_an_instance_is_pending_before_it_runs(account: Account) -> None:
    instance = account.run()
    account.clock.advance(5)
    assert account.state(instance) == "pending"
    assert "PublicIpAddress" not in account.instance(instance)
    account.clock.advance(20)
    assert account.state(instance) == "running"
    assert account.instance(instance)["PublicIpAddress"] == "127.0.77.1"


def test_an_instance_does_not_run_before_its_machine_does(account: Account) -> None:
    account.machines.boots = False
    instance = account.run()
    account.clock.advance(600)
    assert account.state(instance) == "pending"
    account.machines.boots = True
    assert account.state(instance) == "running"


def test_a_machine_that_never_comes_up_ends_its_instance(account: Account) -> None:
    account.machines.boots = False
    instance = account.run()
    account.machines.powers[instance] = Power.OFF
    account.clock.advance(60)
    assert account.state(instance) == "shutting-down"
    account.clock.advance(60)
    assert account.state(instance) == "terminated"
    assert account.instance(instance)["StateReason"]["Code"] == "Server.InternalError"


def test_a_new_instance_is_not_found_at_once(account: Account) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "dormouse:archiver", "Value": "a"}]}]
    instance = account.run(TagSpecifications=tags)
    with refused("InvalidInstanceID.NotFound"):
        account.state(instance)
    with refused("InvalidInstanceID.NotFound"):
        account.api.terminate_instances(InstanceIds=[instance])
    assert by_tag(account) == []
    account.clock.advance(3)
    assert account.state(instance) == "pending"
    assert by_tag(account) == []
    account.clock.advance(3)
    assert by_tag(account) == [instance]


def test_an_instance_is_found_by_its_client_token(account: Account) -> None:
    instance = account.running(ClientToken="wake-1")
    filters = [{"Name": "client-token", "Values": ["wake-1"]}]
    found = account.api.describe_instances(Filters=filters)["Reservations"]
    assert [i["InstanceId"] for r in found for i in r["Instances"]] == [instance]


def test_terminating_takes_time_and_may_be_repeated(account: Account) -> None:
    instance = account.running()
    change = account.api.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert change["PreviousState"]["Name"] == "running"
    assert change["CurrentState"]["Name"] == "shutting-down"
    assert account.machines.powers[instance] == Power.OFF
    again = account.api.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert again["PreviousState"]["Name"] == again["CurrentState"]["Name"] == "shutting-down"
    account.clock.advance(31)
    assert account.state(instance) == "terminated"
    assert account.instance(instance)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    last = account.api.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert last["CurrentState"]["Name"] == "terminated"


def test_a_terminated_instance_is_forgotten_after_an_hour(account: Account) -> None:
    instance = account.running()
    account.api.terminate_instances(InstanceIds=[instance])
    account.clock.advance(60)
    account.state(instance)
    account.clock.advance(3500)
    assert account.state(instance) == "terminated"
    account.clock.advance(200)
    with refused("InvalidInstanceID.NotFound"):
        account.state(instance)
    assert [life.id for life in account.ec2.instances()] == [instance]


def test_a_guest_that_powers_itself_off_is_terminated_if_it_was_asked_for(account: Account) -> None:
    instance = account.running(InstanceInitiatedShutdownBehavior="terminate")
    account.machines.powers[instance] = Power.OFF
    assert account.state(instance) == "shutting-down"
    account.clock.advance(31)
    assert account.state(instance) == "terminated"
    assert account.instance(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_guest_that_powers_itself_off_is_stopped_by_default_and_starts_again(account: Account) -> None:
    instance = account.running()
    account.machines.powers[instance] = Power.OFF
    assert account.state(instance) == "stopping"
    account.clock.advance(31)
    assert account.state(instance) == "stopped"
    account.api.start_instances(InstanceIds=[instance])
    account.clock.advance(31)
    assert account.state(instance) == "running"


def test_a_spot_instance_may_be_taken_back(account: Account) -> None:
    instance = account.running(InstanceMarketOptions={"MarketType": "spot"})
    account.ec2.interrupt_spot(instance)
    account.clock.advance(31)
    assert account.instance(instance)["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_instance_seconds_are_counted_from_launch_to_end(account: Account) -> None:
    instance = account.running()
    account.clock.advance(40)
    account.api.terminate_instances(InstanceIds=[instance])
    account.clock.advance(1000)
    assert 99 <= account.ec2.instance_seconds() <= 101


def test_the_console_is_read_from_the_machine(account: Account) -> None:
    instance = account.running()
    assert instance in account.api.get_console_output(InstanceId=instance)["Output"]
