"""Unit files as NixOS writes them, from services and timers that host.nix evaluated."""

from typing import Any


def unit_files(system: dict[str, Any]) -> dict[str, str]:
    """The files of the evaluated services and timers, by name."""
    files = {f"{name}.service": service_file(unit) for name, unit in system["services"].items()}
    files |= {f"{name}.timer": timer_file(unit) for name, unit in system["timers"].items()}
    return files


def service_file(unit: dict[str, Any]) -> str:
    environment = [f'Environment="{name}={value}"' for name, value in unit["environment"].items()]
    head = {"Description": unit["description"], "OnFailure": unit["onFailure"]}
    head |= {"Wants": unit["wants"], "After": unit["after"]}
    body = section("Service", unit["serviceConfig"]) + "".join(f"{line}\n" for line in environment)
    return section("Unit", head) + body + install(unit)


def timer_file(unit: dict[str, Any]) -> str:
    return section("Unit", {"After": unit["after"]}) + section("Timer", unit["timerConfig"]) + install(unit)


def install(unit: dict[str, Any]) -> str:
    return section("Install", {"WantedBy": unit["wantedBy"]}) if unit["wantedBy"] else ""


def section(name: str, settings: dict[str, Any]) -> str:
    """A section of a unit file; a list is a line each, as NixOS writes it."""
    lines = [f"[{name}]"]
    for key, value in settings.items():
        lines += [f"{key}={text(item)}" for item in (value if isinstance(value, list) else [value])]
    return "\n".join(lines) + "\n"


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
