"""Starts programs: argv lists only, errors that tell all, and no orphans."""

import shlex
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import IO

Argv = Sequence[str]
SHOWN = 4000
_starter = ThreadPoolExecutor(1, "starter")


@dataclass(frozen=True)
class Result:
    """What a finished program said."""

    argv: Argv
    code: int
    out: bytes
    err: bytes

    @property
    def stdout(self) -> str:
        return self.out.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.err.decode(errors="replace")

    def __str__(self) -> str:
        return (
            f"$ {shlex.join(self.argv)}\n[exit {self.code}]"
            f"\n--- stdout\n{self.stdout[-SHOWN:]}\n--- stderr\n{self.stderr[-SHOWN:]}"
        )


class CommandFailed(Exception):
    """A program ended with an exit code that the caller did not expect."""

    def __init__(self, result: Result, where: str = "") -> None:
        super().__init__(f"failed{f' on {where}' if where else ''}: {result}")
        self.result = result


class TimedOut(CommandFailed):
    """A program was killed because it took too long; the result is what it had said."""


def run(argv: Argv, *, stdin: bytes = b"", timeout: float = 60, check: bool = True) -> Result:
    """Runs a program to its end."""
    try:
        done = subprocess.run(bound(argv), input=stdin, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        note = f"\n[killed after {timeout:.0f} s]\n".encode()
        killed = Result(argv, -signal.SIGKILL, late.stdout or b"", (late.stderr or b"") + note)
        raise TimedOut(killed) from None
    result = Result(argv, done.returncode, done.stdout, done.stderr)
    if check and result.code != 0:
        raise CommandFailed(result)
    return result


def start(
    argv: Argv,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts a program that runs beside us, and that has our descriptors `keep`.

    It gets a session of its own, so that ^C reaches only us and we can still
    collect evidence from it before we stop it. A thread that lives as long as
    this process starts it (see `bound`).
    """
    begin = partial(subprocess.Popen, bound(argv), stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=keep)
    return _starter.submit(begin, start_new_session=True).result()


def bound(argv: Argv) -> list[str]:
    """The kernel kills the program when the thread that started it ends.

    So nothing survives a SIGKILL of this process.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]
