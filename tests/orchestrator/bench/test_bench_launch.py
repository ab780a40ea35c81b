"""The client on this machine. That on the head is tried with the phase."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.bench.workload import GUIDE, Cell
from cluster.errors import UsageError
from orchestrator.bench.launch import Launch, launch
from orchestrator.bench.results import BenchSettings
from tests.cluster import builders
from tests.orchestrator.fake_vllm import FakeVllm, served
from tests.orchestrator.scripted_stage import payload, scripted_run

HOW = BenchSettings(rate=10, cold="salt", origin="here", seed=7)


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    with served({}) as server:
        yield server


def from_here(port: int, scratch: Path) -> Launch:
    inventory = builders.inventory(serve={"host": "127.0.0.1", "port": port})
    return launch(scripted_run({}, inventory).stage, Cell(GUIDE[0], 16), HOW, 7, scratch)


def test_the_client_beside_this_program(vllm: FakeVllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").write_text("")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    ready = from_here(vllm.port, tmp_path / "scratch")
    data = payload(ready.command)
    url = f"http://127.0.0.1:{vllm.port}"
    assert ready.host.name == "this machine"
    assert data["argv"] == list(ready.argv)
    assert ready.argv[:3] == (f"{tmp_path}/bin/vllm", "bench", "serve")
    assert url in ready.argv
    assert data["url"] == f"{url}/metrics"
    assert (data["state"], data["env"]) == (f"{tmp_path}/scratch", {})
    # Its own tokenizer, by the model's name: a folder of the head is not here.
    assert ready.argv[ready.argv.index("--tokenizer") + 1] == "baidu/ERNIE-4.5-VL-424B-A47B-PT"


def test_one_on_the_path_or_none(vllm: FakeVllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="vllm is not installed on this machine"):
        from_here(vllm.port, tmp_path)
    (tmp_path / "vllm").write_text("")
    (tmp_path / "vllm").chmod(0o755)
    assert from_here(vllm.port, tmp_path).argv[0] == f"{tmp_path}/vllm"
