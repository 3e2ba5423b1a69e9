"""The instance metadata service: it knows a machine by the address it asks from."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from checks.lab.ec2.front import Front
from checks.lab.ec2.instance_life import InstanceLife

TOKEN_PATH = "/latest/api/token"
LONGEST_TTL = 21600
Answer = tuple[str, bytes]
NOT_FOUND: Answer = ("404 Not Found", b"")


@dataclass
class Metadata:
    """A WSGI application at 169.254.169.254."""

    front: Front
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self.front.lock:
            status, body = self._answer(environ)
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        life = self._asking(environ["REMOTE_ADDR"])
        if life is None or life.instance.metadata_options.http_endpoint == "disabled":
            return NOT_FOUND
        if environ["PATH_INFO"] == TOKEN_PATH:
            return self._new_token(life, environ)
        if not self._is_allowed(life, environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN")):
            return "401 Unauthorized", b""
        return look_up(life, environ["PATH_INFO"])

    def _asking(self, address: str) -> InstanceLife | None:
        regions = self.front.advance()
        lives = [life for region in regions for life in region.instances.values()]
        return next((life for life in lives if life.address == address and not life.is_over), None)

    def _new_token(self, life: InstanceLife, environ: dict[str, Any]) -> Answer:
        """PUT only, and not through a proxy: that is what makes it version 2."""
        lasts = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS", "")
        if environ["REQUEST_METHOD"] != "PUT":
            return "405 Method Not Allowed", b""
        if environ.get("HTTP_X_FORWARDED_FOR"):
            return "403 Forbidden", b""
        if not lasts.isdigit() or not 1 <= int(lasts) <= LONGEST_TTL:
            return "400 Bad Request", b""
        token = secrets.token_urlsafe(42)
        self._tokens[token] = (life.id, self.front.clock.now() + int(lasts))
        return "200 OK", token.encode()

    def _is_allowed(self, life: InstanceLife, token: str | None) -> bool:
        if token is None:
            return bool(life.instance.metadata_options.http_tokens == "optional")
        owner, ends = self._tokens.get(token, ("", 0.0))
        return owner == life.id and self.front.clock.now() < ends


def look_up(life: InstanceLife, path: str) -> Answer:
    """`/latest/…`, or a version's number in place of `latest`."""
    _, _, rest = path.lstrip("/").partition("/")
    if rest == "user-data":
        return ("200 OK", life.launch.user_data) if life.launch.user_data else NOT_FOUND
    kind, _, name = rest.partition("/")
    entries = known(life)
    if kind != "meta-data":
        return NOT_FOUND
    if name in entries:
        return "200 OK", entries[name]().encode()
    below = listing(list(entries), name)
    return ("200 OK", "\n".join(below).encode()) if below else NOT_FOUND


def known(life: InstanceLife) -> dict[str, Callable[[], str]]:
    """What a NixOS machine, and those who debug it, ask for."""
    instance = life.instance
    entries: dict[str, Callable[[], str]] = {
        "ami-id": lambda: life.launch.image_id,
        "ami-manifest-path": lambda: "(unknown)",
        "hostname": lambda: instance.private_dns_name,
        "instance-id": lambda: life.id,
        "instance-type": lambda: life.launch.instance_type,
        "local-hostname": lambda: instance.private_dns_name,
        "local-ipv4": lambda: instance.private_ip or "",
        "mac": lambda: instance.nics[0].mac_address,
        "placement/availability-zone": lambda: instance.placement.zone or "",
        "placement/region": lambda: life.context.region,
        "public-ipv4": lambda: life.address,
        "reservation-id": lambda: life.reservation.id,
    }
    if instance.key_name:
        entries["public-keys/0/openssh-key"] = lambda: public_key(life)
    return entries


def public_key(life: InstanceLife) -> str:
    (pair,) = life.context.backend.describe_key_pairs(key_names=[life.instance.key_name])
    material = pair.material_public
    return material.decode() if isinstance(material, bytes) else str(material)


def listing(names: list[str], folder: str) -> list[str]:
    """What is in a folder; folders in it end with a slash."""
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    inside = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in inside})
