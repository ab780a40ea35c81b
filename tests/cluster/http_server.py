"""A local HTTP server with scripted answers, as the endpoint of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.timing import LIMIT


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    body: bytes
    key: str | None


@dataclass(frozen=True)
class Served:
    """Where it listens, and what it was asked."""

    host: str
    port: int
    asked: list[Asked] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"


@contextmanager
def serving(answers: Mapping[str, tuple[int, str] | bytes]) -> Iterator[Served]:
    """`answers` by path: status and text, or the raw bytes on the wire; anything else is a 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", b"")

        def do_POST(self) -> None:
            self._answer("POST", self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, method: str, body: bytes) -> None:
            served.asked.append(Asked(method, self.path, body, self.headers["Authorization"]))
            answer = answers.get(self.path, (404, "not found"))
            if isinstance(answer, bytes):
                self.wfile.write(answer)
                return
            self.send_response(answer[0])
            self.end_headers()
            self.wfile.write(answer[1].encode())

        def log_message(self, *_: object) -> None:
            """Nothing on the screen of a test."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Served("127.0.0.1", server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join(LIMIT)


def closed_port() -> int:
    """A port on which nobody listens, a moment ago."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
