"""The metadata service knows a machine by its address, and asks for a token."""

import http.client

from checks.lab.ec2.fixtures import IMAGE, Account

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


def ask(account: Account, address: str, method: str, path: str, **headers: str) -> tuple[int, str]:
    """Asks as the machine at an address."""
    host, port = account.ec2.metadata_endpoint.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), source_address=(address, 0))
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def token(account: Account, address: str, seconds: int = 600) -> str:
    status, body = ask(account, address, "PUT", "/latest/api/token", **{TTL: str(seconds)})
    assert status == 200
    return body


def get(account: Account, address: str, path: str) -> tuple[int, str]:
    return ask(account, address, "GET", path, **{TOKEN: token(account, address)})


def test_a_machine_reads_its_own_user_data_with_a_token(account: Account) -> None:
    account.running(UserData="first")
    account.running(UserData="second")
    for path in ("/latest/user-data", "/1.0/user-data"):
        assert get(account, "127.0.77.1", path) == (200, "first")
        assert get(account, "127.0.77.2", path) == (200, "second")


def test_without_a_token_nothing_is_told_where_tokens_are_required(account: Account) -> None:
    account.running(UserData="first")
    assert ask(account, "127.0.77.1", "GET", "/latest/user-data")[0] == 401
    assert ask(account, "127.0.77.1", "GET", "/latest/user-data", **{TOKEN: "guessed"})[0] == 401
    account.running(UserData="second", MetadataOptions={"HttpTokens": "optional"})
    assert ask(account, "127.0.77.2", "GET", "/latest/user-data") == (200, "second")


def test_a_token_ends_and_is_of_no_use_to_another_machine(account: Account) -> None:
    account.running(UserData="first")
    account.running(UserData="second")
    one = token(account, "127.0.77.1", 60)
    assert ask(account, "127.0.77.2", "GET", "/latest/user-data", **{TOKEN: one})[0] == 401
    assert ask(account, "127.0.77.1", "GET", "/latest/user-data", **{TOKEN: one})[0] == 200
    account.clock.advance(61)
    assert ask(account, "127.0.77.1", "GET", "/latest/user-data", **{TOKEN: one})[0] == 401


def test_a_token_needs_put_and_a_time_to_live(account: Account) -> None:
    account.running()
    assert ask(account, "127.0.77.1", "GET", "/latest/api/token", **{TTL: "600"})[0] == 405
    assert ask(account, "127.0.77.1", "PUT", "/latest/api/token")[0] == 400
    assert ask(account, "127.0.77.1", "PUT", "/latest/api/token", **{TTL: "21601"})[0] == 400


def test_the_metadata_tell_what_nixos_asks_for(account: Account) -> None:
    pair = account.api.create_key_pair(KeyName="admin", KeyType="ed25519")
    assert pair["KeyMaterial"]
    instance = account.running(KeyName="admin")
    assert get(account, "127.0.77.1", "/latest/meta-data/instance-id") == (200, instance)
    assert get(account, "127.0.77.1", "/1.0/meta-data/ami-id") == (200, IMAGE)
    assert get(account, "127.0.77.1", "/latest/meta-data/placement/availability-zone")[1] == "us-west-2d"
    key = get(account, "127.0.77.1", "/1.0/meta-data/public-keys/0/openssh-key")[1]
    assert key.startswith("ssh-ed25519 ")
    assert "public-keys/" in get(account, "127.0.77.1", "/latest/meta-data/")[1].splitlines()


def test_what_is_not_there_is_not_found(account: Account) -> None:
    account.running()
    assert get(account, "127.0.77.1", "/latest/user-data")[0] == 404
    assert get(account, "127.0.77.1", "/latest/meta-data/public-keys/0/openssh-key")[0] == 404
    assert ask(account, "127.0.77.9", "PUT", "/latest/api/token", **{TTL: "600"})[0] == 404


def test_a_terminated_machine_is_told_nothing(account: Account) -> None:
    instance = account.running(UserData="first")
    one = token(account, "127.0.77.1")
    account.api.terminate_instances(InstanceIds=[instance])
    account.clock.advance(31)
    assert ask(account, "127.0.77.1", "GET", "/latest/user-data", **{TOKEN: one})[0] == 404
