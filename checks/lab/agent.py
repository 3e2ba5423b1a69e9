"""Runs shell scripts in a guest through its virtio-serial port."""

import base64
from pathlib import Path

from checks.lab import qmp


class AgentError(Exception):
    """The guest's agent did not do what it was asked."""


class Agent:
    """The connection to one guest's agent, kept while QEMU runs.

    A script may be sent before the guest has booted: QEMU holds it back until
    the agent listens.
    """

    def __init__(self, path: Path) -> None:
        self._socket = qmp.connect(path, timeout=10)
        self._answers = self._socket.makefile("rb")

    def run(self, script: str, timeout: float) -> None:
        """Has the guest run a script to its end."""
        self.begin(script)
        self.finish(timeout)

    def begin(self, script: str) -> None:
        """Sends a script without waiting for its end."""
        self._socket.sendall(base64.b64encode(script.encode()) + b"\n")

    def finish(self, timeout: float) -> None:
        """Waits for the end of the script that was sent."""
        self._socket.settimeout(timeout)
        try:
            answer = self._answers.readline()
        except TimeoutError:
            raise AgentError(f"the guest did not answer within {timeout:.0f} s") from None
        if answer != b"exit 0\n":
            raise AgentError(f"the guest answered {answer!r}; see /run/lab-agent.log in it")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
