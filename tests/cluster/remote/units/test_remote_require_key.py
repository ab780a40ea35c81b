"""The guard of vLLM's routes: by itself, and around vLLM's own application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cluster.remote.units.require_key import RequireKey

KEY = "Bearer hush"


class Engine:
    """An application that keeps what came through to it."""

    def __init__(self) -> None:
        self.through: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.through.append(scope.get("path", scope["type"]))


def ask(path: str, key: str = "", method: str = "POST", kind: str = "http", **more: Any) -> list[dict[str, Any]]:
    """What is answered in place of the engine; nothing where the request went through."""
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    headers = [(b"authorization", key.encode())] if key else []
    scope = {"type": kind, "path": path, "method": method, "headers": headers + more.pop("headers", []), **more}
    engine = Engine()
    asyncio.run(RequireKey(engine)(scope, None, send))
    assert bool(engine.through) is not bool(said)
    return said


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "hush")


@pytest.mark.parametrize(
    "path",
    ["/invocations", "/v1/completions", "/tokenize", "/scale_elastic_ep", "/collective_rpc", "/sleep", "/version",
     "/load", "/openapi.json", "/docs", "/metrics/x", "/metricsfoo", "/health/", "//health", "/root", ""],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_nothing_answers_without_the_key(path: str, method: str) -> None:
    start, body = ask(path, method=method)
    assert (start["status"], body["body"]) == (401, b'{"error": "Unauthorized"}')


@pytest.mark.parametrize("header", [KEY, "bearer hush", "BEARER hush"])
def test_everything_does_with_it(header: str) -> None:
    assert ask("/invocations", header) == []


@pytest.mark.parametrize(
    "header", ["hush", "Basic hush", "Bearer", "Bearer hus", "Bearer hush ", "Bearer  hush", "Bearer h\xe4"]
)
def test_another_key_is_none(header: str) -> None:
    assert ask("/invocations", header)[0]["status"] == 401


@pytest.mark.parametrize("path", ["/health", "/ping", "/metrics"])
def test_what_neither_generates_nor_controls_is_open(path: str) -> None:
    assert ask(path, method="GET") == ask(path, method="HEAD") == []
    assert ask(f"/engine{path}", method="GET", root_path="/engine") == []
    assert ask(path, method="POST")[0]["status"] == 401


def test_a_browser_may_ask_whether_it_may_ask() -> None:
    preflight = [(b"origin", b"https://x"), (b"access-control-request-method", b"POST")]
    assert ask("/v1/completions", method="OPTIONS", headers=preflight) == []


def test_a_websocket_is_closed_before_it_opens() -> None:
    assert [message["type"] for message in ask("/v1/realtime", kind="websocket")] == ["websocket.close"]
    assert ask("/v1/realtime", KEY, kind="websocket") == []


def test_what_is_no_request_goes_through() -> None:
    assert ask("", kind="lifespan") == []


def test_without_a_key_it_does_not_serve_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_API_KEY")
    with pytest.raises(RuntimeError, match="nothing would be protected"):
        RequireKey(Engine())
