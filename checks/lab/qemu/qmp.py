"""Talks to a running QEMU over its QMP socket."""

import json
import time
from pathlib import Path
from typing import Any

from checks.lab.backend import BackendError
from checks.lab.local_socket import connect


class QmpError(BackendError):
    """QEMU refused a command."""


class Qmp:
    """One connection to one QEMU."""

    def __init__(self, path: Path, timeout: float = 10) -> None:
        self._socket = connect(path, timeout)
        self._file = self._socket.makefile("rwb")
        self._events: list[dict[str, Any]] = []
        self._read(timeout)
        self("qmp_capabilities")

    def __call__(self, command: str, **arguments: Any) -> Any:
        """Runs a command and returns what QEMU answers."""
        # QMP's names have hyphens, Python's keyword arguments have not.
        hyphened = {key.replace("_", "-"): value for key, value in arguments.items()}
        request = {"execute": command, "arguments": hyphened}
        self._file.write(json.dumps(request).encode() + b"\n")
        self._file.flush()
        while True:
            message = self._read(60)
            if "error" in message:
                raise QmpError(f"{command} {hyphened}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            self._events.append(message)

    def wait_event(self, name: str, timeout: float, **data: Any) -> None:
        """Waits until an event was seen whose data has these values."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self._events.remove(event)
                    return
            self._events.append(self._read(max(0.01, deadline - time.monotonic())))

    def forget_events(self) -> None:
        """Drops the events that came before now."""
        self("query-status")
        self._events.clear()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _read(self, timeout: float) -> dict[str, Any]:
        self._socket.settimeout(timeout)
        line = self._file.readline()
        if not line:
            raise QmpError("QEMU closed its control socket: it has ended")
        message: dict[str, Any] = json.loads(line)
        return message
