"""The clock that EC2's limits and states go by."""

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Runs like any clock, but tests may put it forward, or stop it."""

    def __init__(self, *, stopped: bool = False) -> None:
        self._lock = threading.Lock()
        self._ahead = 0.0
        self._stopped_at = time.time() if stopped else None

    def now(self) -> float:
        """Seconds since the epoch."""
        base = time.time() if self._stopped_at is None else self._stopped_at
        return base + self._ahead

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._ahead += seconds

    def date(self) -> datetime:
        """Now, as moto keeps times: in UTC, without saying so."""
        return datetime.fromtimestamp(self.now(), UTC).replace(tzinfo=None)
