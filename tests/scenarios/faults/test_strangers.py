"""Hostile users and hosts."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sandbox.network import tool
from tests.scenarios.faults.case import Case
from tests.scenarios.operator import Operator

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

KEY = "sk-0123456789-do-not-show"
_TOKEN = {"choices": [{"text": " impostor", "finish_reason": "length"}], "usage": {"completion_tokens": 1}}


def with_key(case: Case, **serve: object) -> Path:
    """An inventory whose endpoint asks for a key."""
    file = case.operator.state.parent / "key"
    file.write_text(KEY)
    return case.edited(lambda one: one["serve"].update({"api_key": {"file": str(file)}, **serve}), "keyed")


def test_a_stranger_has_the_address_of_the_head(case: Case) -> None:
    """a stranger on the operator's network has the head's address, and answers as vLLM would"""
    address = case.hosts.cluster_address("node0")
    inventory = with_key(case, host=address)
    with impostor(address) as keys:
        case.injected_at = time.time()
        done = case.operator.run("up", inventory, "--output", "json")
        status = case.operator.run("status", inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    announced = json.loads(done.stdout)
    assert (announced["url"], announced["proved_from"]) == (f"http://{address}:8000", "node1")
    assert announced["token"] != " impostor"
    assert json.loads(status.stdout)["endpoint"]["tokens"] is True
    assert len(keys) >= 2, "it was asked, by both commands"
    assert set(keys) == {None}
    said = case.operator.events(done, "host_said")
    (event,) = [each for each in said if "is not proved from here to be this engine" in each["message"]]
    assert event["severity"] == "warning"
    case.add_message({**event, "host": "all"}, "the key goes to the head over SSH; announced, asked from node1")


@contextmanager
def impostor(address: str) -> Iterator[list[str | None]]:
    """Yields what it was sent as a key, for each request."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = json.dumps(_TOKEN).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing on the screen of a test."""

    subprocess.run([tool("ip"), "address", "add", f"{address}/32", "dev", "lo"], check=True)
    try:
        with ThreadingHTTPServer((address, 8000), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield keys
            server.shutdown()
    finally:
        subprocess.run([tool("ip"), "address", "del", f"{address}/32", "dev", "lo"], check=True)


def test_a_key_that_does_not_guard_all(case: Case) -> None:
    """with a key, /invocations answers without it: a frontend of vLLM's that loads no middleware"""

    def rust(one: dict[str, Any]) -> None:
        one["serve"]["api_key"] = {"file": str(case.operator.state.parent / "key")}
        one["environment"]["VLLM_USE_RUST_FRONTEND"] = "1"

    with_key(case)
    report = case.refused(6, inventory=case.edited(rust, "rust"))
    assert report.host == "node0"
    assert "POST /invocations without the key was not refused (HTTP 200)" in report.cause


def test_an_engine_of_somebody_else(case: Case, tmp_path: Path) -> None:
    """`up` from another machine would stop an engine that serves"""
    case.up()
    engine = case.hosts.pids("node0", "vllm serve")
    changed = case.edited(lambda one: one["serve"]["arguments"].append("--seed=7"))
    ours, other = case.operator, Operator(tmp_path / "other", case.operator.settings)
    case.operator = other
    case.injected_at = 0.0
    for _ in range(2):
        report = case.refused(8, inventory=changed)
        assert "nothing more there, --seed=7 here" in report.cause
    assert case.hosts.pids("node0", "vllm serve") == engine
    case.rows.pop()
    assert case.repair(changed, "--yes") == ["Launch vLLM"]
    case.operator = ours
