"""A real HTTP server on a loopback port whose answers a test writes, with a clock and faults of its own."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; ``params`` keeps the last of repeated ones."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """``cut_after``: the connection ends after that many bytes of the promised body; ``silence`` comes before it."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    silence: float = 0

    @property
    def payload(self) -> bytes:
        return self.body if self.body is not None else json.dumps(self.content, ensure_ascii=False).encode()


@dataclass
class Loopback:
    url: str
    asked: list[Asked]
    ahead: timedelta

    def now(self) -> datetime:
        """The server's clock."""
        return datetime.now(UTC) + self.ahead

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


@contextmanager
def loopback(
    answer: Callable[[Asked], Any], ahead: timedelta = timedelta(), certificate: Path | None = None
) -> Iterator[Loopback]:
    """Serve ``answer(request)``, a :class:`Reply` or what its JSON says; ``ahead`` is how wrong our clock is.

    ``certificate``: a file with key and certificate; then it serves https.
    """
    world = Loopback("", [], ahead)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            world.asked.append(asked)
            given = answer(asked)
            reply = given if isinstance(given, Reply) else Reply(given)
            payload = reply.payload
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.flush()
            if reply.silence:
                time.sleep(reply.silence)
            self.wfile.write(payload if reply.cut_after is None else payload[: reply.cut_after])
            if reply.cut_after is not None:
                self.close_connection = True

        do_GET = do_POST = _serve  # noqa: N815

        def do_HEAD(self) -> None:
            self.send_response(204)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(world.now(), usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            """Tests read what was asked, not a log."""

        def handle(self) -> None:
            with suppress(
                BrokenPipeError, ConnectionResetError, ssl.SSLError
            ):  # the client gave up, as some tests want
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    world.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
