"""Talks to a running User Mode Linux over its management console.

The protocol is that of arch/um/drivers/mconsole.h: one datagram each way. The
reply goes to the path that the sender's socket is bound to.
"""

import contextlib
import itertools
import socket
import struct
from pathlib import Path

from checks.lab.backend import BackendError

MAGIC = 0xCAFEBABE
VERSION = 2
MOST = 512
_counter = itertools.count(1)


class MconsoleError(BackendError):
    """The guest's kernel refused a command."""


def ask(path: Path, command: str, timeout: float = 30) -> str:
    """Runs a command and returns what the kernel answers."""
    data = command.encode()
    if len(data) >= MOST:
        raise MconsoleError(f"{command}: longer than {MOST} bytes")
    own = path.with_name(f"reply-{next(_counter)}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind(str(own))
        try:
            client.settimeout(timeout)
            client.sendto(struct.pack(f"=III{MOST}s", MAGIC, VERSION, len(data), data), str(path))
            return answer(client, command)
        except OSError as error:
            raise MconsoleError(f"{command}: {error}") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                own.unlink()


def answer(client: socket.socket, command: str) -> str:
    """Reads one reply, which may come in parts."""
    text, more = "", 1
    while more:
        packet = client.recv(12 + MOST)
        failed, more, length = struct.unpack_from("=III", packet)
        text += packet[12 : 12 + length].rstrip(b"\0").decode(errors="replace")
        if failed:
            raise MconsoleError(f"{command}: {text.strip()}")
    return text
