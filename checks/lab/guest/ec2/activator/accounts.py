"""Users and groups, by Debian's own tools."""

import grp
import pwd
import time
from typing import Any

from .run import run

DEFAULT_SHELL = "/usr/sbin/nologin"


class BadAccount(Exception):
    """An account that NixOS refuses to make."""


def check(users: dict[str, Any], groups: list[str]) -> None:
    for name, user in users.items():
        if name != "root" and not user["isSystemUser"]:
            raise BadAccount(f"users.users.{name}: the lab knows system users only: set isSystemUser")
        if name != "root" and user["group"] not in groups:
            raise BadAccount(f"users.users.{name}.group: there is no group {user['group'] or '(none)'}")


def make(users: dict[str, Any], groups: dict[str, Any]) -> None:
    for group, options in groups.items():
        if group not in {entry.gr_name for entry in grp.getgrall()}:
            run("groupadd", "--system", *number("--gid", options["gid"]), group)
    there = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name, user in users.items():
        if name != "root":
            make_user(name, user, there.get(name))


def number(option: str, value: int | None) -> list[str]:
    """A number that the configuration fixes; NixOS gives none to an account that is there already."""
    return [] if value is None else [option, str(value)]


def make_user(name: str, user: dict[str, Any], there: pwd.struct_passwd | None) -> None:
    login_shell, group = shell(user), user["group"]
    wanted = ["--shell", login_shell, "--gid", group]
    if there is None:
        fixed = number("--uid", user["uid"])
        run("useradd", "--system", "--no-create-home", "--home-dir", "/var/empty", *fixed, *wanted, name)
    elif (there.pw_shell, grp.getgrgid(there.pw_gid).gr_name) != (login_shell, group):
        run("usermod", *wanted, name)


def remove(users: list[str], groups: list[str]) -> None:
    """Takes away what the generation before had made."""
    for name in users:
        # NixOS removes an account whatever still runs for it, such as a manager that lingers; userdel refuses.
        run("pkill", "-KILL", "-U", name, check=False)
        wait_for_processes(name)
        run("userdel", name)
    for group in groups:
        run("groupdel", group)


def wait_for_processes(user: str) -> None:
    deadline = time.monotonic() + 30
    while run("pgrep", "-U", user, check=False) and time.monotonic() < deadline:
        time.sleep(0.1)


def shell(user: dict[str, Any]) -> str:
    """The shell of a package; NixOS' bash is the only one that the lab has."""
    return f"{user['shell']}/bin/bash" if user["shell"] else DEFAULT_SHELL
