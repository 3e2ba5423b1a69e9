"""Connects to the control sockets of programs that are just starting."""

import socket
import time
from pathlib import Path


def connect(path: Path, timeout: float) -> socket.socket:
    """Connects to a socket that may still be about to appear."""
    deadline = time.monotonic() + timeout
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
            return client
        except (FileNotFoundError, ConnectionRefusedError):
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
