"""Restricts vLLM's routes without the key to health and metrics: `vllm serve --middleware` loads it.

vLLM itself requires the key only below /v1, /v2, /inference and /cohere. Without the key, /invocations generates,
and control routes answer. The key comes from the environment, like vLLM's own.
"""

import hashlib
import hmac
import json
import os
from typing import Any, Awaitable, Callable

#: These routes generate nothing and control nothing. A collector of metrics has no key. Metrics also prove from
#: outside which process answers, before it gets the key.
OPEN = ("/health", "/ping", "/metrics")
READING = ("GET", "HEAD")

#: RFC 6455: the connection breaks a rule of the server.
POLICY = 1008

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]


class RequireKey:
    """An ASGI application around vLLM's own."""

    def __init__(self, app: App) -> None:
        key = os.environ.get("VLLM_API_KEY", "")
        if not key:
            raise RuntimeError("VLLM_API_KEY is not set: nothing would be protected")
        self._app = app
        self._key = digest(key)

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or is_open(scope) or self._has_key(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refuse(send)
        else:
            await send({"type": "websocket.close", "code": POLICY})

    def _has_key(self, scope: Scope) -> bool:
        scheme, _, key = header(scope, b"authorization").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(digest(key), self._key)


def is_open(scope: Scope) -> bool:
    """Returns whether a request may come without the key.

    A browser first asks without the key whether it may send the request. CORS of vLLM answers this before any
    route.
    """
    if scope["type"] != "http":
        return False
    if scope["method"] == "OPTIONS":
        return bool(header(scope, b"origin") and header(scope, b"access-control-request-method"))
    root = scope.get("root_path", "")
    return scope["method"] in READING and scope["path"] in (*OPEN, *(root + path for path in OPEN))


def header(scope: Scope, name: bytes) -> str:
    """Returns the first header of this name, or an empty text."""
    return next((value.decode("latin-1") for each, value in scope["headers"] if each.lower() == name), "")


def digest(text: str) -> bytes:
    """Returns a digest of equal length for all keys: a comparison then shows nothing about the length of our
    key."""
    return hashlib.sha256(text.encode()).digest()


async def refuse(send: Send) -> None:
    body = json.dumps({"error": "Unauthorized"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
