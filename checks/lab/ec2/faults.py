"""Trouble on request: calls that fail, hang, are denied, or whose answer is lost."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal

When = Callable[[Form], bool]
Asked = tuple[str | None, dict[str, str]] | None
EVERY = "*"
DENIED = (
    "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/lab is not"
    " authorized to perform: ec2:{action} because no identity-based policy allows the ec2:{action} action."
)


class ReplyLost(ConnectionAbortedError):
    """The connection ends without an answer; the server drops it without a word."""


def always(_: Form) -> bool:
    return True


def nothing() -> None:
    pass


def is_spot(form: Form) -> bool:
    return form.get("InstanceMarketOptions.MarketType") == "spot"


class Step:
    """Holds for the calls of one step, counted from 1 from now on.

    Calls that only repeat the one before, as polls and retries do, are the same
    step. With `onwards`, it holds for all later calls of that step's action too.
    """

    def __init__(self, number: int, *, onwards: bool = False) -> None:
        self._left = number
        self._onwards = onwards
        self._last: Asked = None
        self._action: str | None = None

    def __call__(self, form: Form) -> bool:
        action = form.get("Action")
        if (action, form.asks_for()) != self._last:
            self._last = (action, form.asks_for())
            self._left -= 1
        if self._left == 0:
            self._action = action
        return self._left == 0 or (self._onwards and self._left < 0 and action == self._action)


@dataclass
class Fault:
    """One kind of trouble, for as many calls as are left (None: for ever)."""

    action: str
    left: int | None
    when: When
    code: str = ""
    message: str = ""
    delay: float = 0
    loses_request: bool = False
    loses_reply: bool = False
    # What happens instead, in the thread of the call.
    act: Callable[[], None] = nothing

    def hits(self, action: str, form: Form) -> bool:
        if self.left == 0 or self.action not in (action, EVERY) or not self.when(form):
            return False
        if self.left is not None:
            self.left -= 1
        return True


@dataclass
class Faults:
    """All trouble that is ahead. `times=None` means for ever, `"*"` every action."""

    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(
        self, action: str, code: str, message: str = "", *, times: int | None = 1, when: When = always
    ) -> None:
        """The call is refused with this code, and nothing is done."""
        shown = message or f"{code}, because a test wants it"
        self._faults.append(Fault(action, times, when, code=code, message=shown))

    def lose_reply(self, action: str, *, times: int | None = 1, when: When = always) -> None:
        """The call is done, but its caller never hears of it."""
        self._faults.append(Fault(action, times, when, loses_reply=True))

    def lose_request(self, action: str, *, times: int | None = 1, when: When = always) -> None:
        """The connection ends before anything is done."""
        self._faults.append(Fault(action, times, when, loses_request=True))

    def delay(self, action: str, seconds: float, *, times: int | None = 1, when: When = always) -> None:
        """The call is done and answered, but late."""
        self._faults.append(Fault(action, times, when, delay=seconds))

    def at(self, number: int, act: Callable[[], None], *, done: bool) -> None:
        """Calls `act` at a step (see `Step`) whose caller hears nothing: nothing was done, or it was."""
        self._faults.append(Fault(EVERY, 1, Step(number), loses_request=not done, loses_reply=done, act=act))

    def deny(self, action: str) -> None:
        """The caller has no right to this action, until `allow`."""
        message = DENIED.format(action=action)
        self.fail(action, "UnauthorizedOperation", message, times=None)

    def allow(self, action: str) -> None:
        denied = ("UnauthorizedOperation", action)
        self._faults = [fault for fault in self._faults if (fault.code, fault.action) != denied]

    def are_pending(self) -> bool:
        """Whether some trouble is still ahead."""
        return any(fault.left != 0 for fault in self._faults)

    def clear(self) -> None:
        self._faults.clear()

    def strike(self, action: str, form: Form) -> list[Fault]:
        """What happens before a call is done; returns what will happen to its answer."""
        with self._lock:
            hits = [fault for fault in self._faults if fault.hits(action, form)]
        time.sleep(sum(fault.delay for fault in hits))
        for fault in hits:
            if fault.loses_request:
                fault.act()
                raise ReplyLost
            if fault.code:
                raise Refusal(fault.code, fault.message)
        return [fault for fault in hits if fault.loses_reply]
