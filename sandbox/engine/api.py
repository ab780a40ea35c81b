"""The OpenAI routes of vLLM, with as many tokens as requested, unless a scenario asks for something else."""

import itertools
import json
import os
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any

from . import behaviour, log, metrics, middleware
from .flags import Flags
from .ranks import Ranks

_TOKEN = " token"
#: Where vLLM itself asks for its key; all else it leaves to middleware.
_GUARDED = ("/v1", "/v2", "/inference", "/cohere")
_GENERATING = ("/v1/completions", "/v1/chat/completions", "/invocations")
_CONTROL = ("/scale_elastic_ep", "/is_scaling_elastic_ep")


def bind(flags: Flags) -> socket.socket:
    """Taken at once and answered late, as vLLM does: until it listens, callers are refused."""
    listener = socket.socket(_family(flags))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((flags.host, flags.port))
    return listener


def _family(flags: Flags) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in flags.host else socket.AF_INET


def serve(flags: Flags, listener: socket.socket, ranks: Ranks) -> None:
    """Holds the ranks, since Ray ends them when no variable refers to them."""
    server = Server(flags, listener)
    server.ranks = ranks
    server.serve_forever()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    ranks: Ranks

    def __init__(self, flags: Flags, listener: socket.socket) -> None:
        self.address_family = _family(flags)
        super().__init__((flags.host, flags.port), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.flags = flags
        self.middleware = middleware.load(flags.middleware)
        self.counts = metrics.Counts(flags.served_name)
        self.prefixes = metrics.Prefixes()
        self.requests = itertools.count(1)
        self.counting = threading.Lock()
        self.server_activate()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        if self._refused():
            return None
        told = behaviour.read().behaviour
        if told in ("drip", "endless"):
            return self._never_end(*((b"x", 0.5) if told == "drip" else (b"x" * (1 << 20), 0.0)))
        match self.path:
            case "/health" | "/ping":
                return self._text(200, "")
            case "/metrics":
                return self._text(200, self.server.counts.render(behaviour.read().busy))
            case "/version":
                return self._json(200, {"version": version("vllm")})
            case "/v1/models":
                return self._json(200, {"object": "list", "data": [self._model()]})
        return self._json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self._refused():
            return None
        if self.path == "/reset_prefix_cache" and os.environ.get("VLLM_SERVER_DEV_MODE") == "1":
            self.server.prefixes.forget()
            return self._text(200, "")
        if self.path in _CONTROL:
            return self._json(400, {"detail": "Invalid JSON format"})
        if self.path not in _GENERATING:
            return self._json(404, {"detail": "Not Found"})
        name = self.server.flags.served_name
        if body.get("model", name) != name:
            text = f"The model `{body['model']}` does not exist."
            return self._json(404, {"error": {"message": text, "type": "NotFoundError", "code": 404}})
        return self._complete(body)

    def _complete(self, body: dict[str, Any]) -> None:
        counts, number = self.server.counts, next(self.server.requests)
        with counts.running():
            cached = self.server.prefixes.look_up(body)
            while (told := behaviour.read()).behaviour == "tokenless" or _wedged(told, number):
                time.sleep(0.05)
            tokens = 0 if told.behaviour == "empty" else int(body.get("max_tokens") or 16)
            prompt = len(json.dumps(body.get("prompt", body.get("messages", ""))))
            with self.server.counting:
                counts.read(prompt, prompt if cached else 0)
            answer = _answer(self.path, self.server.flags.served_name, prompt, tokens)
            if body.get("stream"):
                self._stream(answer, tokens, told.token_seconds)
            else:
                self._json(200, answer)
            with self.server.counting:
                counts.generated(tokens)

    def _stream(self, answer: dict[str, Any], tokens: int, pause: float) -> None:
        """A chunk a token, `pause` seconds between two; the last has the usage."""
        kind = answer["object"] if "text" in answer["object"] else "chat.completion.chunk"
        choice = {"index": 0, "text": _TOKEN, "delta": {"content": _TOKEN}, "finish_reason": None}
        chunk = {**answer, "object": kind, "choices": [choice], "usage": None}
        chunks = [chunk] * tokens + [{**answer, "choices": []}]
        events = [f"data: {json.dumps(each)}\n\n" for each in chunks]
        self._pieces([*events, "data: [DONE]\n\n"], pause)

    def _refused(self) -> bool:
        """Whether it was answered already: by the middleware, or for want of the key."""
        headers = list(self.headers.items())
        said = middleware.refusal(self.server.middleware, self.command, self.path, headers)
        if said is None and self.path.startswith(_GUARDED) and not self._authorized():
            said = middleware.Refusal(401, b'{"error": "Unauthorized"}')
        if said is not None:
            self._text(said.status, said.body.decode(), "application/json")
        return said is not None

    def _authorized(self) -> bool:
        keys = self.server.flags.api_keys
        return not keys or self.headers.get("Authorization", "") in {f"Bearer {key}" for key in keys}

    def _model(self) -> dict[str, object]:
        flags = self.server.flags
        return {
            "id": flags.served_name, "object": "model", "owned_by": "vllm",
            "root": flags.model, "max_model_len": 512,
        }  # fmt: skip

    def _json(self, status: int, content: object) -> None:
        self._text(status, json.dumps(content), "application/json")

    def _text(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        content = text.encode()
        self._head(status, len(content), kind)
        self.wfile.write(content)

    def _never_end(self, piece: bytes, pause: float) -> None:
        """Answers without an end, until the client hangs up."""
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(piece)
                time.sleep(pause)

    def _pieces(self, pieces: list[str], pause: float) -> None:
        """At once, unless there is a pause between two."""
        contents = [each.encode() for each in pieces]
        self._head(200, sum(map(len, contents)), "text/event-stream")
        for content in contents if pause else [b"".join(contents)]:
            self.wfile.write(content)
            time.sleep(pause)

    def _head(self, status: int, length: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        client = f"{self.client_address[0]}:{self.client_address[1]}"
        log.plain(f'INFO:     {client} - "{self.requestline}" {int(code)} {self.responses[int(code)][0]}')


def _wedged(told: behaviour.Behaviour, number: int) -> bool:
    return told.behaviour == "wedge" and number > told.tokens_before_wedge


def _answer(path: str, model: str, prompt: int, tokens: int) -> dict[str, Any]:
    text = _TOKEN * tokens
    chat = "chat" in path
    kind = "chat.completion" if chat else "text_completion"
    said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    return {
        "id": f"cmpl-{time.monotonic_ns():x}", "object": kind, "created": int(time.time()), "model": model,
        "choices": [{"index": 0, **said, "logprobs": None, "finish_reason": "length"}],
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt + tokens, "completion_tokens": tokens},
    }  # fmt: skip
