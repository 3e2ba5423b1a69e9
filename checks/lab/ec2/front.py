"""The API's front: every call comes through here, one at a time."""

import re
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.exceptions import ServiceException

from checks.lab.ec2 import action, moto_api
from checks.lab.ec2.action import Request
from checks.lab.ec2.calls import Call, Calls
from checks.lab.ec2.clock import Clock
from checks.lab.ec2.context import Context
from checks.lab.ec2.faults import Faults, ReplyLost
from checks.lab.ec2.form import Form
from checks.lab.ec2.iam.authority import Authority
from checks.lab.ec2.machines import Machines
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region
from checks.lab.ec2.timing import Timing

SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")


class Front:
    """A WSGI application that is EC2."""

    def __init__(self, machines: Machines, clock: Clock, timing: Timing) -> None:
        action.load()
        self.account = moto_api.new_account()
        self.machines = machines
        self.clock = clock
        self.timing = timing
        self.authority = Authority(self.account)
        self.faults = Faults()
        self.calls = Calls()
        self.lock = threading.RLock()
        self._regions: dict[str, Region] = {}

    def region(self, name: str) -> Region:
        with self.lock:
            if name not in self._regions:
                backend = moto_api.backend(self.account, name)
                self._regions[name] = Region(
                    Context(self.account, name, backend, self.clock, self.timing, self.machines)
                )
            return self._regions[name]

    def advance(self) -> list[Region]:
        """Brings everything to where it is by now."""
        with self.lock:
            for region in self._regions.values():
                region.advance()
            return list(self._regions.values())

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        form = read_form(environ)
        call = self.calls.note(self.clock.now(), form)
        return self._respond(call, start_response, lambda: self._answer(call, environ, form))

    def observed(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The same EC2 for a test's own questions: no record, no faults, no limits."""
        form = read_form(environ)
        call = Call(self.clock.now(), form)
        return self._respond(call, start_response, lambda: self._perform(call, environ, form))

    def _respond(self, call: Call, start_response: Any, answer: Callable[[], bytes]) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())
        try:
            status, body = 200, answer()
        except Refusal as refusal:
            call.outcome = refusal.code
            status, body = refusal.status, refusal.xml(request_id)
        except ReplyLost:
            call.outcome = "lost"
            raise
        body = body.replace(b"<requestId>request-id<", f"<requestId>{request_id}<".encode())
        start_response(f"{status} {call.outcome}", headers(request_id, body))
        return [body]

    def _answer(self, call: Call, environ: dict[str, Any], form: Form) -> bytes:
        losses = self.faults.strike(call.action, form)
        with self.lock:
            self.region(signed_region(environ)).throttle.check(call.action, form)
            self._authorise(call, environ, form)
        body = self._perform(call, environ, form)
        for fault in losses:
            fault.act()
            raise ReplyLost
        return body

    def _authorise(self, call: Call, environ: dict[str, Any], form: Form) -> None:
        """Before anything else is said about a call: a refused caller does not learn what there is."""
        action.find(call.action)
        region = self.region(signed_region(environ))
        region.advance()
        try:
            self.authority.check(signed_by(environ), region, form)
        except ServiceException as error:
            raise moto_api.refused(error) from error

    def _perform(self, call: Call, environ: dict[str, Any], form: Form) -> bytes:
        region = self.region(signed_region(environ))
        with self.lock:
            region.advance()
            try:
                body = action.find(call.action)(Request(region, form, environ))
            except ServiceException as error:
                raise moto_api.refused(error) from error
            region.advance()
        return body


def read_form(environ: dict[str, Any]) -> Form:
    return Form.parse(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def signed_region(environ: dict[str, Any]) -> str:
    """The region is told by the signature; an unsigned call is refused."""
    return scope_of(environ)[2]


def signed_by(environ: dict[str, Any]) -> str:
    """The access key that signed the request."""
    return scope_of(environ)[1]


def scope_of(environ: dict[str, Any]) -> re.Match[str]:
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None or scope[3] != "ec2":
        raise Refusal("AuthFailure", "AWS was not able to validate the provided access credentials")
    return scope


def headers(request_id: str, body: bytes) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "text/xml;charset=UTF-8"),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", request_id),
    ]
