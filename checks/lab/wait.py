"""Waits for what happens at its own time, and never for ever."""

import time
from collections.abc import Callable


def until(happened: Callable[[], bool], what: str, timeout: float = 60, pause: float = 0.1) -> None:
    """Waits until something has happened."""
    deadline = time.monotonic() + timeout
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:.0f} s: {what}")
        time.sleep(pause)
