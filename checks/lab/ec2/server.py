"""Serves a WSGI application from threads of this process."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    """No line for every request, and no answer for a reply that is lost."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        if type == "error":
            super().log(type, message, *args)

    def log_request(self, *_: Any) -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        # A kept connection would wait for its next request, and its client with it.
        self.close_connection = True


@contextmanager
def serving(listener: socket.socket, application: Callable[..., Any]) -> Iterator[None]:
    """Answers requests on a socket, each connection in a thread."""
    host, port = listener.getsockname()[:2]
    server = make_server(host, port, application, True, request_handler=Quiet, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=f"serving {host}:{port}")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        listener.close()
        thread.join()


@contextmanager
def repeating(work: Callable[[], object], pause: float) -> Iterator[None]:
    """Does some work again and again, also when nobody asks for anything."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(pause):
            work()

    thread = threading.Thread(target=loop, name="repeating")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
