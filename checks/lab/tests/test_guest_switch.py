"""A public image becomes the configuration in its user data, and refuses what it cannot become."""

import json
from collections.abc import Iterator

import pytest

from checks.lab.instance import Instance
from checks.lab.tests import guest
from checks.lab.tests.generated import Archiver
from checks.lab.tests.site import Site

PLAIN = '{ modulesPath, ... }: { imports = [ "${modulesPath}/virtualisation/amazon-image.nix" ];%s }\n'
COULD_NOT_CONNECT = 7
CONFIGURATION = "/etc/nixos/configuration.nix"


@pytest.fixture(scope="module", name="plain")
def switched(site: Site, generated: Archiver) -> Iterator[Instance]:
    """A public image that was booted with an archiver's user data."""
    instance = site.instance("plain", generated.script)
    instance.boot(site.image)
    instance.wait_lab()
    guest.entered(instance, generated.admin())
    # Without a session it would power off under the tests.
    client = guest.session(instance, generated.admin())
    guest.rebuilt(instance)
    yield instance
    client.kill()
    instance.kill()


@pytest.mark.qemu
def test_one_that_woke_from_a_saved_state_becomes_it_too(site: Site, generated: Archiver) -> None:
    instance = site.instance("woken", generated.script)
    instance.power_on(site.image)
    instance.wait_ready()
    guest.entered(instance, generated.admin())
    guest.rebuilt(instance)
    assert instance.run(["hostname"]).stdout == "archiver\n"
    assert instance.run(["systemctl", "is-active", "dormouse-idle.timer"]).stdout == "active\n"
    instance.kill()


def switch(instance: Instance, configuration: str) -> tuple[int, str]:
    instance.put(CONFIGURATION, configuration.encode())
    done = instance.run(["nixos-rebuild", "switch"], check=False)
    return done.code, done.stdout + done.stderr


def test_the_host_key_is_the_one_of_the_user_data(plain: Instance, generated: Archiver) -> None:
    assert plain.get("/etc/ssh/ssh_host_ed25519_key").decode().strip() == generated.private_key.strip()
    other = Archiver(generated.folder.parent / "other")
    other.generate()
    refused = plain.enter(generated.admin(other.host_key), ["true"])
    assert refused.code == 255 and "Host key verification failed" in refused.stderr


def test_the_names_are_those_of_the_configuration(plain: Instance, generated: Archiver) -> None:
    assert plain.run(["hostname"]).stdout == "archiver\n"
    assert f'hostId = "{plain.run(["hostid"]).stdout.strip()}"' in generated.configuration


def test_the_user_data_are_for_root_alone(plain: Instance, generated: Archiver) -> None:
    for path in ("/etc/ec2-metadata/user-data", CONFIGURATION):
        assert plain.run(["stat", "-c", "%a %U", path]).stdout == "600 root\n"
    ask = ["curl", "-sS", "-m", "10", "-X", "PUT", "http://169.254.169.254/latest/api/token"]
    assert plain.run(ask).code == 0
    refused = plain.run(["runuser", "-u", generated.host("desktop").user, "--", *ask], check=False)
    assert refused.code == COULD_NOT_CONNECT, refused


def test_a_session_finds_the_programs_that_dormouse_calls(plain: Instance, generated: Archiver) -> None:
    there_or_not = ("zfs list -d 0 archive", "zpool status archive", "pkill -f -x nothing-like-this")
    good = (
        "loginctl list-sessions --json=short",
        "systemctl show --property=ActiveState --value dormouse-pool.service",
        "systemd-escape --template=dormouse-abandon@.service x",
        "true",
    )
    for command in (*there_or_not, *good):
        done = plain.enter(generated.host("desktop"), command.split())
        assert done.code == 0 or done.code == 1 and command in there_or_not, done
    for program in ("blkid", "cmp", "journalctl", "ls"):
        assert plain.enter(generated.admin(), ["command", "-v", program]).code == 0, program


def test_units_find_only_what_is_in_their_path(plain: Instance) -> None:
    path = plain.run(["systemctl", "show", "--property=Environment", "--value", "dormouse-idle.service"])
    names = [part.split("/")[-2] for part in path.stdout.strip().split("=")[1].strip('"').split(":")]
    assert names == ["procps", "zfs", "coreutils", "findutils", "gnugrep", "gnused", "systemd"]


def test_a_switch_to_the_same_changes_nothing(plain: Instance) -> None:
    before = plain.run(["systemctl", "show", "--property=InvocationID", "sshd", "firewall"]).stdout
    done = plain.run(["nixos-rebuild", "switch"])
    # As on NixOS, a unit that is wanted and has ended by itself is started again.
    assert done.stdout in ("", "starting dormouse-volume.service\n"), done
    assert plain.run(["systemctl", "show", "--property=InvocationID", "sshd", "firewall"]).stdout == before


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("services.nginx.enable = true;", "The option `services.nginx' does not exist."),
        ("networking.nftables.enable = true;", "The option `networking.nftables' does not exist."),
        ("systemd.services.x.postStart = \"\";", "The option `systemd.services.x.postStart' does not exist."),
        ("services.openssh.ports = [ \"22\" ];", "`services.openssh.ports.*' is not of type"),
        ("services.openssh.settings.Nonsense = true;", "Bad configuration option: Nonsense"),
        ("users.users.x.shell = \"/bin/sh\";", "users.users.x: the lab knows system users only"),
    ],
)
def test_what_it_cannot_become_is_refused_by_name(plain: Instance, definition: str, reason: str) -> None:
    old = plain.get(CONFIGURATION).decode()
    config = plain.get("/etc/ssh/sshd_config")
    try:
        code, said = switch(plain, PLAIN % definition)
        assert code != 0 and reason in said, said
        assert plain.get("/etc/ssh/sshd_config") == config
        assert plain.run(["systemctl", "is-active", "sshd"]).stdout == "active\n"
    finally:
        plain.put(CONFIGURATION, old.encode())


def test_what_a_new_generation_has_not_is_gone(plain: Instance, generated: Archiver) -> None:
    """Last in this file: afterwards nobody can log in."""
    # Else the user data, which are the old configuration, would be applied again.
    code, said = switch(plain, PLAIN % "virtualisation.amazon-init.enable = false;")
    assert code == 0, said
    assert plain.run(["getent", "passwd", "dormouse-desktop"], check=False).code == 2
    assert plain.run(["getent", "group", "dormouse"], check=False).code == 2
    # A look that was under way, whether it is idle, was ended: that is a failure to systemd.
    plain.run(["systemctl", "reset-failed"])
    units = plain.run(["systemctl", "list-units", "--all", "--output=json", "dormouse-*"]).stdout
    assert json.loads(units) == []
    for path in ("/etc/udev/rules.d/99-local.rules", "/etc/polkit-1/rules.d/10-nixos.rules"):
        assert plain.run(["test", "-e", path], check=False).code == 1
    assert plain.run(["ls", "/etc/ssh/authorized_keys.d", "/etc/nixos/units"]).stdout.split() == [
        "/etc/nixos/units:",
        "/etc/ssh/authorized_keys.d:",
    ]
    assert plain.enter(generated.admin(), ["true"]).code == 255
