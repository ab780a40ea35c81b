"""A real HTTP server on this machine in place of vLLM, which answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.timing import LIMIT

TOKEN = json.dumps({"usage": {"completion_tokens": 1}, "choices": [{"text": " Paris"}]})
HANG = "hang"
#: What tells a process from all others; every FakeVllm is the one process of a test.
STARTED = "process_start_time_seconds 1.79537062048e+09\n"


@dataclass
class FakeVllm:
    """`bodies` by path; a list is answered one after the other, the last for ever. HANG never answers. The paths
    `guarded` are a 401 without the key `key`."""

    bodies: dict[str, str | list[str]]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    key: str = ""
    guarded: tuple[str, ...] = ()
    over: threading.Event = field(default_factory=threading.Event)

    def next(self, path: str) -> str | None:
        body = self.bodies.get(path)
        if isinstance(body, list):
            return body.pop(0) if len(body) > 1 else body[0]
        return body


@contextmanager
def served(bodies: dict[str, str | list[str]]) -> Iterator[FakeVllm]:
    """/health and /metrics are good unless `bodies` says otherwise; a path that is not there is a 404."""
    what = FakeVllm({"/health": "", "/metrics": "", **bodies})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(what))
    server.daemon_threads = True
    what.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield what
    finally:
        what.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(what: FakeVllm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            what.asked.append(self.path)
            what.keys.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.path in what.guarded and what.keys[-1] != f"Bearer {what.key}":
                self.send_response(401)
                self.end_headers()
                return
            body = what.next(self.path)
            if body == HANG:
                what.over.wait(LIMIT)
                self.close_connection = True
                return
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(((STARTED if self.path == "/metrics" else "") + (body or "")).encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def closed_port() -> int:
    """A port on which nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])
