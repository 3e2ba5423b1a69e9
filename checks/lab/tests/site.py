"""A network with a metadata service, in which instances boot without EC2's API."""

import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from checks.lab import backend, lab, network, owner
from checks.lab.ec2 import namespace
from checks.lab.image import Image
from checks.lab.instance import Instance
from checks.lab.network import Network

METADATA = "169.254.169.254"
TOKEN = "X-aws-ec2-metadata-token"


@dataclass
class Site:
    """The user data of each address, and the machines that were made."""

    network: Network
    folder: Path
    key: Path
    image: Image
    user_data: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)

    def instance(self, name: str, user_data: bytes, base: Path | None = None) -> Instance:
        """A machine that is off, with a copy of the plain disk or of another."""
        number = 30 + len(self.instances)
        made = Instance(name, number, self.network, self.folder / name, self.key)
        made.install(base or self.image.root)
        self.user_data[made.address] = user_data
        self.instances.append(made)
        return made


@contextmanager
def opened() -> Iterator[Site]:
    """Everything in it is gone afterwards."""
    lab.check_tools()
    owner.sweep()
    name = owner.new_name()
    folder = owner.folders() / name
    folder.mkdir(mode=0o700)
    try:
        with network.opened(name) as net:
            site = Site(net, folder, lab.make_key(folder), backend.get().image())
            try:
                with answering(site):
                    yield site
            finally:
                for instance in site.instances:
                    instance.kill()
    finally:
        shutil.rmtree(folder)


@contextmanager
def answering(site: Site) -> Iterator[None]:
    """A metadata service that knows user data and nothing else, and asks for a token."""
    site.network.add_address(METADATA)
    listener = namespace.listen(METADATA, 80, owner.NAMESPACES / site.network.name)
    token = secrets.token_hex(16)

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.answer(200 if self.path == "/latest/api/token" else 404, token.encode())

        def do_GET(self) -> None:
            site.asked.append(self.path)
            if self.headers.get(TOKEN) != token:
                self.answer(401, b"")
            elif self.path == "/1.0/user-data" and site.user_data.get(self.client_address[0]):
                self.answer(200, site.user_data[self.client_address[0]])
            else:
                self.answer(404, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is for what is wrong."""

    server = HTTPServer((METADATA, 80), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
