"""Sockets that listen inside a lab's network while this process stays outside."""

import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

CLONE_NEWNET = 0x40000000


def listen(address: str, port: int, namespace: Path | None = None) -> socket.socket:
    """A listening socket. A socket stays in the network in which it was made."""
    if namespace is None:
        return socket.create_server((address, port))
    # setns changes the calling thread only, so it is done in one that ends at once.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(partial(listen_in, address, port, namespace)).result()


def listen_in(address: str, port: int, namespace: Path) -> socket.socket:
    libc = ctypes.CDLL(None, use_errno=True)
    with namespace.open("rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"setns {namespace}: {os.strerror(error)}")
    return socket.create_server((address, port))
