"""Runs commands in a guest through OpenSSH, over one shared connection."""

import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from checks.lab import process
from checks.lab.network import Network
from checks.lab.process import CommandFailed, Result, TimedOut

PORT = 2222


class Running:
    """A command that runs in a guest while the test goes on."""

    def __init__(self, remote: "Remote", argv: Sequence[str], client: subprocess.Popen[bytes]) -> None:
        assert client.stdout is not None
        self._remote = remote
        self._client = client
        self.argv = argv
        self.pid = int(client.stdout.readline() or 0)
        if not self.pid:
            raise CommandFailed(self.wait(timeout=10), remote.name)

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Sends the command itself a signal; it may have ended already."""
        self._remote.run(["kill", f"-{sig.value}", str(self.pid)], check=False)

    def is_running(self) -> bool:
        return self._client.poll() is None

    def said(self) -> Iterator[str]:
        """Each line on stderr as it comes; what was read here, `wait` does not return again."""
        assert self._client.stderr is not None
        for line in self._client.stderr:
            yield line.decode(errors="replace")

    def wait(self, timeout: float = 120) -> Result:
        """Waits for the command's end and returns what it said after its start."""
        out, err = self._client.communicate(timeout=timeout)
        return Result(self.argv, self._client.returncode, out, err)


class Remote:
    """OpenSSH from the controller into one guest."""

    def __init__(self, network: Network, folder: Path, name: str, address: str, key: Path) -> None:
        self.name = name
        self._network = network
        self._folder = folder
        self._address = address
        self._key = key
        self._master: subprocess.Popen[bytes] | None = None

    def connect(self, timeout: float = 60) -> None:
        """Opens the connection that all commands share; ssh's start is slow here."""
        self.close()
        deadline = time.monotonic() + timeout
        while not self._is_open():
            if time.monotonic() > deadline:
                log = (self._folder / "ssh.log").read_text()
                raise TimeoutError(f"no ssh to {self.name} within {timeout:.0f} s: {log[-500:]}")
            if self._master is None or self._master.poll() is not None:
                self._start_master()
            time.sleep(0.05)

    def close(self) -> None:
        if self._master is not None:
            self._master.kill()
            self._master.wait()
            self._master = None
        self._socket.unlink(missing_ok=True)

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 120, check: bool = True
    ) -> Result:
        """Runs a command in the guest to its end."""
        try:
            done = process.run(self.command(argv), stdin=stdin, timeout=timeout, check=False)
        except TimedOut as late:
            raise TimedOut(replace(late.result, argv=argv), self.name) from None
        result = replace(done, argv=argv)
        if check and result.code != 0:
            raise CommandFailed(result, self.name)
        return result

    def start(self, argv: Sequence[str]) -> Running:
        """Starts a command in the guest; its process id can be killed there."""
        announced = ["sh", "-c", 'echo $$; exec "$@"', "sh", *argv]
        pipe = subprocess.PIPE
        client = process.start(self.command(announced), stdout=pipe, stderr=pipe)
        return Running(self, argv, client)

    def command(self, argv: Sequence[str]) -> list[str]:
        """The local command line; ssh hands the guest's shell one quoted string."""
        return [*self._ssh(), f"root@{self._address}", "--", shlex.join(argv)]

    @property
    def _socket(self) -> Path:
        return self._folder / "ssh"

    def _ssh(self) -> list[str]:
        """Host keys are not checked here: each guest makes its own when it wakes."""
        options = {
            "ControlPath": str(self._socket),
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "ConnectTimeout": "5",
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        ssh = ["ssh", "-F", "none", "-p", str(PORT), "-i", str(self._key), *flags]
        return self._network.inside(ssh)

    def _start_master(self) -> None:
        argv = [*self._ssh(), "-M", "-N", f"root@{self._address}"]
        with (self._folder / "ssh.log").open("ab") as log:
            self._master = process.start(argv, stderr=log)

    def _is_open(self) -> bool:
        if not self._socket.exists():
            return False
        argv = [*self._ssh(), "-O", "check", f"root@{self._address}"]
        return process.run(argv, check=False).code == 0
