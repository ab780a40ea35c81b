"""`status --watch`: what is shown where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.values import EndpointStatus, HostStatus, Presence
from orchestrator.commands import status
from orchestrator.render.status import StatusView
from tests.orchestrator.simulated_cluster import SimulatedCluster, run, written

Captured = pytest.CaptureFixture[str]
HOST = HostStatus("gpu-a", Presence.ALIVE, Presence.ABSENT, 0, 8, 10.0)
LOADING = EndpointStatus("http://10.0.0.1:8000", False, None, "loading weights")
READY = EndpointStatus("http://10.0.0.1:8000", True, True, "it generated a token just now")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """One after the other, without pauses; then a person presses Ctrl-C."""

    def set_looks(*looks: StatusView) -> None:
        def told(*_: object) -> Iterator[StatusView]:
            yield from looks
            os.kill(os.getpid(), signal.SIGINT)
            yield looks[-1]

        monkeypatch.setattr(status, "repeatedly", told)

    return set_looks


def test_what_changed_a_line_each_with_its_time(
    tmp_path: Path, capsys: Captured, looks: Callable[..., None]
) -> None:
    looks(([HOST], LOADING), ([HOST], LOADING), ([HOST], READY))
    assert run(SimulatedCluster(), "status", written(tmp_path), "--watch") == 0
    out, err = capsys.readouterr()
    assert [line[10:] for line in out.splitlines()] == [
        "gpu-a: ray ✓ alive, vllm – absent, 0/8 GPUs used",
        "✗ http://10.0.0.1:8000: not healthy, tokens not checked (loading weights)",
        "✓ http://10.0.0.1:8000: healthy, generates tokens (it generated a token just now)",
    ]
    assert err == ""


def test_a_document_for_each_change(tmp_path: Path, capsys: Captured, looks: Callable[..., None]) -> None:
    looks(([HOST], LOADING), ([HOST], LOADING), ([HOST], READY))
    assert run(SimulatedCluster(), "status", written(tmp_path), "--watch", "--output", "json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["endpoint"]["health"] for one in told] == [False, True]
    assert all(one["time"] and one["hosts"][0]["host"] == "gpu-a" for one in told)


def test_a_table_in_place_on_a_terminal(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, looks: Callable[..., None]
) -> None:
    looks(([HOST], READY))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(SimulatedCluster(), "status", written(tmp_path), "--watch") == 0
    out = capsys.readouterr().out
    assert "\x1b[?1049h" in out
    kept = out.rpartition("\x1b[?1049l")[2]
    assert "demo  " in kept
    assert "✓ http://10.0.0.1:8000: healthy, generates tokens" in kept


def test_it_ends_when_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: Callable[..., None]
) -> None:
    def gone(text: str) -> int:
        raise BrokenPipeError

    looks(([HOST], READY))
    path = written(tmp_path)
    monkeypatch.setattr(sys.stdout, "write", gone)
    assert run(SimulatedCluster(), "status", path, "--watch") == 0
