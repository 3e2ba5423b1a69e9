"""EC2's request limits: a bucket of tokens for each action (facts of the throttling page)."""

from dataclasses import dataclass, field

from checks.lab.ec2.clock import Clock
from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal

READING = ("Describe", "Get", "Search")


@dataclass(frozen=True)
class Limit:
    """How many tokens fit, and how many come back in a second."""

    size: float
    refill: float


@dataclass
class Bucket:
    limit: Limit
    tokens: float
    since: float

    def take(self, count: int, now: float) -> bool:
        self.tokens = min(self.limit.size, self.tokens + (now - self.since) * self.limit.refill)
        self.since = now
        if self.tokens < count:
            return False
        self.tokens -= count
        return True


@dataclass
class Throttle:
    """The buckets of one region. Limits may be set before they are first used."""

    clock: Clock
    reading: Limit = Limit(100, 20)
    # Describe calls that name neither a filter nor a page's size.
    listing: Limit = Limit(50, 10)
    changing: Limit = Limit(50, 5)
    # Counted by instances, not by calls.
    launched: Limit = Limit(1000, 2)
    terminated: Limit = Limit(1000, 20)
    _buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)

    def check(self, action: str, form: Form) -> None:
        """Refuses a call for which there is no token."""
        self._take(action, *self._of_calls(action, form), 1)
        if action == "RunInstances":
            self._take(action, "launched", self.launched, form.number("MinCount") or 1)
        if action == "TerminateInstances":
            self._take(action, "terminated", self.terminated, len(form.values("InstanceId")))

    def _of_calls(self, action: str, form: Form) -> tuple[str, Limit]:
        if not action.startswith(READING):
            return "changing", self.changing
        if action.startswith("Describe") and not form.has("Filter") and not form.has("MaxResults"):
            return "listing", self.listing
        return "reading", self.reading

    def _take(self, action: str, kind: str, limit: Limit, count: int) -> None:
        now = self.clock.now()
        bucket = self._buckets.setdefault((action, kind), Bucket(limit, limit.size, now))
        if not bucket.take(count, now):
            raise Refusal("RequestLimitExceeded", "Request limit exceeded.")
