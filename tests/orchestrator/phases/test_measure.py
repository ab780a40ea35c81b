"""One run, whatever becomes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cluster.bench.record import Run
from cluster.bench.workload import GUIDE, Cell, Cold
from cluster.errors import HostError, LeaseLost, NotReady, Unreachable
from cluster.values import Lease, Presence
from orchestrator.bench.not_kept import NotKept
from orchestrator.bench.results import BenchSettings, Results, kept_runs, open_results
from orchestrator.events import HostMessage, Progress
from orchestrator.phases.measure import Measure
from orchestrator.run.phase import Handover, Situation
from tests.cluster import builders
from tests.cluster.bench.results import result
from tests.cluster.bench.test_bench_client import told
from tests.doubles import Script, ScriptedChannel, failed
from tests.orchestrator.fake_vllm import FakeVllm, served
from tests.orchestrator.scripted_stage import ScriptedRun, scripted_run, status_answer

CELL = Cell(GUIDE[0], 2)
CELLS = (Cell(GUIDE[0], 1), CELL)
RUNS, DIED = (
    status_answer("KV cache size: 640 tokens\n"),
    status_answer("EngineCore failed to start", Presence.DEAD),
)
CLOCKS = json.dumps({"clocks": {"GPU-gpu-a-0": [1755, 1980]}})
NCCL = json.dumps({"lines": ["gpu-a:1:1 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] via NET/IB/0"]})


def results(folder: Path, cold: Cold = "salt") -> Results:
    return open_results(folder / "results", BenchSettings(rate=10, cold=cold, origin="head", seed=7), seeded=True)


def playing(*lines: str | None, engine: Script = RUNS, ended: Any = None, **serve: Any) -> ScriptedRun:
    channel = ScriptedChannel(lines or told(), ended)
    answers: dict[str, Script] = {
        "unit_status vllm": engine,
        "nccl": NCCL,
        "clocks": CLOCKS,
    }
    key = SecretStr(serve.pop("key")) if "key" in serve else None
    inventory = builders.inventory(serve=serve)
    keyed = inventory.serve.model_copy(update={"api_key": key})
    inventory = inventory.model_copy(update={"serve": keyed})
    return scripted_run(answers, inventory, channels={"bench": channel})


def measure(play: ScriptedRun, into: Results, cell: Cell = CELL) -> Run:
    Measure(cell, CELLS, into, Path("/nowhere")).run(play.stage)
    return into.runs()[-1]


def stopped(play: ScriptedRun, into: Results) -> Exception:
    with pytest.raises((NotReady, HostError, LeaseLost, NotKept)) as caught:
        measure(play, into)
    return caught.value


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the engine at once, and at the clocks with the first load."""
    monkeypatch.setattr("orchestrator.bench.watch._LOOK_EVERY", 0.0)
    monkeypatch.setattr("orchestrator.bench.watch._UNDER_LOAD", 0.0)


def test_a_run_is_kept_with_all_that_made_it(tmp_path: Path) -> None:
    play, into = playing(), results(tmp_path)
    run = measure(play, into)
    assert run.valid
    assert (run.workload, run.num_prompts, run.attempt, run.origin) == ("8000/1000", 2, 1, "gpu-a")
    assert run.seed == CELL.seed(7, 1)
    assert str(run.seed) in run.command
    assert run.conditions.transport == "NET/IB"
    assert run.conditions.kv_cache_tokens == 640
    assert [gpu.sm_clock for gpu in run.conditions.gpus][:2] == [1755, None]
    assert len(run.samples) == 1
    ((folder, _),) = kept_runs(into.folder)
    assert (folder / "vllm.json").read_text() == result()
    assert (folder / "log.txt").read_text() == "a word"
    assert json.loads((folder / "inventory.json").read_text())["cluster"] == "demo"
    assert "0 of 16,000 tokens from the prefix cache" in play.events_of(HostMessage)[0].line
    assert play.events_of(Progress) == [Progress("run 2 of 2", 0, 2, "requests")]


def test_where_and_with_what_the_client_runs(tmp_path: Path) -> None:
    play = playing(host="0.0.0.0", port=8200)
    measure(play, results(tmp_path))
    (data,) = play.payloads("gpu-a", "bench")
    assert data["argv"][:3] == ["/opt/vllm/bin/vllm", "bench", "serve"]
    assert "http://127.0.0.1:8200" in data["argv"]
    assert "/models/ernie" in data["argv"]
    assert data["url"] == "http://127.0.0.1:8200/metrics"
    assert data["state"] == builders.STATE
    assert data["env"]["HF_HUB_OFFLINE"] == "1"


def test_a_key_travels_in_the_environment_alone(tmp_path: Path) -> None:
    play = playing(key="sk-do-not-show")
    run = measure(play, results(tmp_path))
    (data,) = play.payloads("gpu-a", "bench")
    assert data["env"]["OPENAI_API_KEY"] == "sk-do-not-show"
    assert "sk-do-not-show" not in json.dumps(data["argv"]) + run.model_dump_json()
    assert all("sk-do-not-show" not in path.read_text() for path in tmp_path.rglob("*.json"))


def salts(run: Run) -> list[str]:
    return [word for word in run.command if "cache_salt" in word]


def test_every_try_has_a_salt_of_its_own_or_none(tmp_path: Path) -> None:
    into = results(tmp_path)
    first, second = measure(playing(), into), measure(playing(), into)
    assert (first.attempt, second.attempt) == (1, 2)
    assert salts(first) != salts(second)
    assert salts(measure(playing(), results(tmp_path / "other", cold="seed"))) == []


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    into = results(tmp_path)
    phase = Measure(CELL, CELLS, into, tmp_path)
    inventory = builders.inventory()
    assert phase.skip(Situation(inventory, builders.seen(inventory))) is None
    measure(playing(), into)
    assert phase.skip(Situation(inventory, builders.seen(inventory))) == "measured already"


def test_failed_requests_end_nothing_but_the_run(tmp_path: Path) -> None:
    run = measure(playing(*told(result(2, failed=1))), results(tmp_path))
    assert run.verdict.outcome == "failed"
    assert run.verdict.reasons == ("1 of 2 requests failed: ConnectionError: refused",)
    assert run.figures


def test_a_server_that_died_over_it(tmp_path: Path) -> None:
    into = results(tmp_path)
    play = playing(*told(result(2, failed=1)), engine=[RUNS, DIED])
    error = stopped(play, into)
    assert isinstance(error, NotReady)
    assert error.what == "the engine"
    assert into.runs()[0].verdict.outcome == "failed"


def test_a_server_that_dies_while_it_is_measured(tmp_path: Path) -> None:
    into = results(tmp_path)
    play = playing(*told()[:4], *[None] * 5, *told()[4:], engine=[RUNS, DIED])
    assert isinstance(stopped(play, into), NotReady)
    assert "the engine" in into.runs()[0].verdict.reasons[0]
    assert into.runs()[0].figures is None


def test_a_server_that_answers_nothing(tmp_path: Path) -> None:
    into = results(tmp_path)
    error = stopped(playing(*told(result(2, failed=2))), into)
    assert isinstance(error, HostError)
    assert error.cause == "2 of 2 requests failed: ConnectionError: refused"
    assert len(into.runs()) == 1


def test_a_server_that_hangs(tmp_path: Path) -> None:
    into, play = results(tmp_path), playing(*told()[:3], *[None] * 9)
    patience = play.stage.patience.model_copy(update={"token": 1e-9})
    object.__setattr__(play.stage, "patience", patience)
    error = stopped(play, into)
    assert isinstance(error, NotReady)
    assert "read and generated no token for 1e-09 s" in error.cause


def test_a_connection_that_breaks(tmp_path: Path) -> None:
    into = results(tmp_path)
    assert isinstance(stopped(playing(*told()[:3], ended=failed(-1)), into), Unreachable)
    assert into.runs()[0].verdict.reasons == ("gpu-a: run vllm bench serve: the connection broke",)


def test_a_lease_that_is_lost(tmp_path: Path) -> None:
    play = playing()

    def lost() -> None:
        raise LeaseLost("demo", Lease("bob", "desk", "", "up demo"))

    play = replace(play, stage=play.stage.after(Handover(guards=(lost,))))
    assert isinstance(stopped(play, results(tmp_path)), LeaseLost)


def test_a_result_that_cannot_be_kept_is_still_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play, into = playing(), results(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert isinstance(stopped(play, into), NotKept)
    assert "200.0 tokens/s generated" in play.events_of(HostMessage)[0].line
    assert into.runs() == ()


@pytest.fixture
def resetting() -> Iterator[Callable[[str | None], FakeVllm]]:
    with served({}) as server:

        def answer(text: str | None) -> FakeVllm:
            if text is not None:
                server.bodies["/reset_prefix_cache"] = text
            return server

        yield answer


def test_a_reset_before_each_run(tmp_path: Path, resetting: Callable[[str | None], FakeVllm]) -> None:
    server = resetting("")
    play = playing(host="127.0.0.1", port=server.port)
    assert measure(play, results(tmp_path, cold="reset")).valid
    assert server.asked == ["/metrics", "/metrics", "/reset_prefix_cache"]


def test_a_reset_that_fails(tmp_path: Path, resetting: Callable[[str | None], FakeVllm]) -> None:
    play = playing(host="127.0.0.1", port=resetting(None).port)
    error = stopped(play, results(tmp_path, cold="reset"))
    assert isinstance(error, NotReady)
    assert error.cause == "HTTP 404"


def test_the_counters_are_those_of_this_run(tmp_path: Path) -> None:
    run = measure(playing(), results(tmp_path))
    assert run.counts
    assert run.counts.queries == 16_000
