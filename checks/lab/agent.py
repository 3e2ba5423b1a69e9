"""Runs shell scripts in a guest over a line that needs no network."""

import base64
import socket

AGENT_HELLO = b"ready\n"


class AgentError(Exception):
    """The guest's agent did not do what it was asked."""


class Agent:
    """The connection to one guest's agent, kept while the guest's program runs.

    QEMU holds back a script that is sent before the agent listens. A serial line
    would echo it: there, the agent says hello first, and is `expected`.
    """

    def __init__(self, connection: socket.socket, *, expected: bool = False) -> None:
        self._socket = connection
        self._answers = connection.makefile("rb")
        self._is_expected = expected

    def run(self, script: str, timeout: float) -> None:
        """Has the guest run a script to its end."""
        self.begin(script, timeout)
        self.finish(timeout)

    def begin(self, script: str, timeout: float) -> None:
        """Sends a script without waiting for its end; waits for an agent that is expected."""
        if self._is_expected and self._read(timeout) != AGENT_HELLO:
            raise AgentError("the guest's agent did not say hello")
        self._is_expected = False
        self._socket.sendall(base64.b64encode(script.encode()) + b"\n")

    def finish(self, timeout: float) -> None:
        """Waits for the end of the script that was sent."""
        answer = self._read(timeout)
        if answer != b"exit 0\n":
            raise AgentError(f"the guest answered {answer!r}; see /run/lab-agent.log in it")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def _read(self, timeout: float) -> bytes:
        self._socket.settimeout(timeout)
        try:
            return self._answers.readline()
        except TimeoutError:
            raise AgentError(f"the guest did not answer within {timeout:.0f} s") from None
