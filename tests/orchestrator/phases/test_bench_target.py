"""What is refused before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.bench.workload import GUIDE, Cold, Origin, workload
from cluster.errors import ClusterError, NotReady, Unreachable, UsageError
from cluster.inventory import Inventory
from cluster.launch import vllm
from cluster.views import HostView
from orchestrator.bench.results import BenchSettings, Results, open_results
from orchestrator.phases.bench_target import CheckBenchTarget
from tests.cluster import builders
from tests.cluster.bench.results import run
from tests.cluster.http_server import closed_port
from tests.orchestrator.fake_vllm import FakeVllm, served
from tests.orchestrator.scripted_stage import ScriptedRun, scripted_run, status_answer

METRICS = "vllm:num_requests_running {}\nvllm:generation_tokens_total 9\n"
MODELS = json.dumps({"data": [{"id": "ernie", "max_model_len": 9000}]})


@pytest.fixture
def server() -> Iterator[FakeVllm]:
    with served({"/metrics": METRICS.format(0), "/v1/models": MODELS}) as server:
        yield server


def results(folder: Path, cold: Cold = "salt", origin: Origin = "head") -> Results:
    return open_results(folder / "results", BenchSettings(rate=10, cold=cold, origin=origin, seed=7), seeded=True)


def serving(port: int) -> Inventory:
    return builders.inventory(1, serve={"host": "127.0.0.1", "port": port})


def playing(inventory: Inventory) -> ScriptedRun:
    """On which the engine runs as wanted."""
    unit = vllm.unit(inventory, builders.facts(inventory.head))
    seen = builders.seen(inventory, vllm=builders.alive(unit))
    return scripted_run({"unit_status vllm": status_answer("KV cache size: 640 tokens\n")}, inventory, seen)


def refused(play: ScriptedRun, kept: Results, word: str = "prompt-heavy") -> ClusterError:
    with pytest.raises((NotReady, UsageError)) as caught:
        CheckBenchTarget([workload(word)], kept).run(play.stage)
    return caught.value


def test_all_is_well(server: FakeVllm, tmp_path: Path) -> None:
    CheckBenchTarget([GUIDE[0], GUIDE[0]], results(tmp_path)).run(playing(serving(server.port)).stage)
    assert server.asked == ["/metrics", "/metrics", "/v1/models", "/metrics"]


def test_nothing_serves(server: FakeVllm, tmp_path: Path) -> None:
    inventory = serving(server.port)
    absent = refused(scripted_run({}, inventory), results(tmp_path))
    assert (absent.cause, absent.cure) == (
        "vLLM of this cluster does not run there",
        "run `orchestrator up` first",
    )
    other = builders.seen(inventory, vllm=builders.alive(vllm.unit(serving(1), builders.facts(inventory.head))))
    assert (
        "runs with an outdated configuration"
        in refused(scripted_run({}, inventory, other), results(tmp_path)).cause
    )
    assert server.asked == []


def test_a_head_that_cannot_be_looked_at_may_well_serve(server: FakeVllm, tmp_path: Path) -> None:
    lost = Unreachable("gpu-a", "read the facts of the host", cause="no route")
    inventory = serving(server.port)
    play = scripted_run({}, inventory, {"gpu-a": HostView("gpu-a", problem=lost)})
    with pytest.raises(Unreachable) as caught:
        refused(play, results(tmp_path))
    assert caught.value is lost


def test_a_dead_endpoint(tmp_path: Path) -> None:
    play = playing(serving(closed_port()))
    answers = json.dumps({"status": 0, "text": "Connection refused"})
    dead = scripted_run(
        {"unit_status vllm": status_answer(), "http_request": answers}, play.stage.inventory, play.stage.seen
    )
    error = refused(dead, results(tmp_path))
    assert isinstance(error, NotReady)
    assert (error.host, error.what, error.cause) == ("gpu-a", "an answer from the endpoint", "Connection refused")


def test_work_that_is_too_long_for_it(server: FakeVllm, tmp_path: Path) -> None:
    error = refused(playing(serving(server.port)), results(tmp_path), "8500/501")
    assert isinstance(error, UsageError)
    assert "max_model_len is 9,000: 8500/501 takes 9,001 tokens a request" in error.message


def test_somebody_else_is_at_it(server: FakeVllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.phases.bench_target._IDLE", 0.0)
    server.bodies["/metrics"] = METRICS.format(3)
    assert refused(playing(serving(server.port)), results(tmp_path)).cause == "another client sends requests"
    server.bodies["/metrics"] = "nothing of vLLM\n"
    assert "--disable-log-stats" in refused(playing(serving(server.port)), results(tmp_path)).cure


def test_a_reset_that_the_server_does_not_allow(server: FakeVllm, tmp_path: Path) -> None:
    kept = results(tmp_path, cold="reset")
    assert "VLLM_SERVER_DEV_MODE=1" in refused(playing(serving(server.port)), kept).cause
    server.bodies["/reset_prefix_cache"] = ""
    CheckBenchTarget([GUIDE[0]], kept).run(playing(serving(server.port)).stage)


def test_a_port_that_only_the_head_reaches(tmp_path: Path) -> None:
    play = playing(serving(closed_port()))
    asked = {"unit_status vllm": status_answer(), "http_request": json.dumps({"status": 200, "text": MODELS})}
    kept = results(tmp_path, origin="here")
    error = refused(scripted_run(asked, play.stage.inventory, play.stage.seen), kept)
    assert "cannot be reached from this machine" in str(error)


def test_a_folder_of_another_engine(server: FakeVllm, tmp_path: Path) -> None:
    kept = results(tmp_path)
    kept.keep(run(), {})
    error = refused(playing(serving(server.port)), kept)
    assert "holds runs of another engine" in str(error)
    assert "vllm serve: /opt/vllm/bin/vllm serve --trust-remote-code there" in error.cause
