"""How work with all experts in use is measured and read, without GPUs."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from importlib.metadata import distributions
from pathlib import Path

import pytest

from benchmarks.gpu_lab import models, workload
from benchmarks.gpu_lab.even import cells, kernels, limits, measure, routes, timeline, weights
from benchmarks.gpu_lab.even.ask import Endpoint
from benchmarks.gpu_lab.even.predictions import EXPECTED

SHAPE = routes.Shape(sequences=2, prompt=1, answer=2, experts=4, experts_a_token=2)
#: Of the first sequence: a prompt's token, and two of its answer; then those of the second.
CONTENT = bytes([0, 1, 0, 1, 2, 3, 3, 2, 0, 1, 1, 2])


@pytest.fixture
def layers(tmp_path: Path) -> list[routes.Layer]:
    (tmp_path / "layer-00").write_bytes(CONTENT)
    return routes.read(tmp_path, SHAPE)


def test_tokens_of_answers_alone_are_counted(layers: list[routes.Layer]) -> None:
    assert routes.tokens_an_expert(layers[0], SHAPE) == [2, 3, 2, 1]


def test_a_step_reads_an_expert_once(layers: list[routes.Layer]) -> None:
    assert routes.experts_hit(layers[0], SHAPE, 1) == 2
    assert (
        routes.experts_hit(layers[0], SHAPE, 2) == (2 + 3) / 2
    )  # both ask for 0 and 1, then for 2 and 3, 1 and 2
    assert routes.experts_hit(layers[0], SHAPE, 4) == 4  # two steps of two sequences


def test_a_layer_that_lacks_tokens_is_refused(tmp_path: Path) -> None:
    (tmp_path / "layer-00").write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match="has 11 bytes, not 12"):
        routes.read(tmp_path, SHAPE)


def test_choosing_by_lot_hits_most_of_64_experts_with_16_tokens() -> None:
    assert [round(routes.by_chance(64, 6, size), 1) for size in (1, 16, 64)] == [6.0, 50.8, 63.9]


def test_the_limit_counts_what_vllm_loaded() -> None:
    shape = limits.of(models.config(models.MODELS["vl28b"]))
    assert shape.token == 28 * 2 * 4 * 128 * 2
    # 56.88 GiB by vLLM's log, less experts for pictures, a third as wide, and rotary tables of 128 MiB a layer
    rest = shape.expert * 64 // 3 + 28 * (128 << 20)
    assert (shape.step(64, 0) + rest) / 2**30 == pytest.approx(56.88, rel=0.01)


def test_steps_and_how_many_answer_at_once_come_from_the_clients_times() -> None:
    result = {"start_times": [0.0, 1.0], "ttfts": [0.5, 0.5], "itls": [[0.5] * 4, [0.5] * 4]}
    assert timeline.figures(result) == {"decoding": 1.5, "step_ms": 500.0}


def test_nothing_is_measured_where_all_failed() -> None:
    assert timeline.figures({"start_times": [0.0], "ttfts": [0.0], "itls": [[]]}) == {
        "decoding": 0.0,
        "step_ms": 0.0,
    }


def test_a_step_is_split_into_groups_of_kernels(tmp_path: Path) -> None:
    events = [
        {"cat": "kernel", "name": name, "ts": start, "dur": 10.0}
        for name, start in (("fused_moe_kernel", 0), ("nvjet_sm90", 5), ("vllm::reshape_and_cache_flash", 30))
    ]
    trace = tmp_path / "trace.json.gz"
    with gzip.open(trace, "wt") as file:
        json.dump({"traceEvents": [*events, {"ph": "M"}, {"cat": "cpu_op", "name": "x", "ts": 0, "dur": 9}]}, file)
    found = kernels.figures(trace, layers=1)
    assert (found["steps"], found["span_us"], found["busy_us"], found["kernels"]) == (1.0, 40.0, 25.0, 3.0)
    assert found["groups_us"] == {"experts": 10.0, "matrix products": 10.0, "attention": 10.0}


def test_a_trace_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="no whole step among 0 kernels"):
        kernels.of([], 28)


def test_vllm_finds_the_plugin(tmp_path: Path) -> None:
    weights.write_plugin(tmp_path)
    (found,) = [entry for one in distributions(path=[str(tmp_path)]) for entry in one.entry_points]
    assert found.group == "vllm.general_plugins"
    assert found.load() is weights.install


def test_every_cell_has_a_prediction_and_prompts_of_its_own() -> None:
    measured = (*cells.FIRST, *cells.THEN)
    assert {one.name for one in measured} == set(EXPECTED)
    assert len({one.seed for one in measured}) == len(measured)


def test_the_client_is_asked_as_the_guide_asks() -> None:
    words = cells.words(cells.Cell(8000, 1000, 16), "http://host:1", "/models/vl28b", "vl28b", "salt")
    guide = workload.client(workload.GUIDE, "http://host:1", "/models/vl28b", "vl28b", 1, "x")
    for name in ("--random-input-len", "--random-output-len", "--num-prompts", "--request-rate"):
        assert words[words.index(name) + 1] == guide[guide.index(name) + 1]
    assert "--temperature" not in words


@pytest.fixture
def run(tmp_path: Path) -> measure.Run:
    return measure.Run(
        Endpoint("http://127.0.0.1:1", "x"), tmp_path, tmp_path / "out.json", tmp_path, time.monotonic() + 100, 1.0
    )


async def _fails() -> None:
    raise ValueError("no")


async def _works() -> dict[str, int]:
    return {"tokens": 1}


def test_what_fails_or_has_no_time_left_is_written_down(run: measure.Run) -> None:
    asyncio.run(run.bounded("cells", "a", 10, _fails))
    asyncio.run(run.bounded("cells", "b", 10, _works))
    asyncio.run(run.bounded("cells", "c", 60, _works, kept=50))
    found = json.loads(run.out.read_text())["cells"]
    assert (found["a"], found["b"]) == ({"failed": "ValueError: no"}, {"tokens": 1})
    assert found["c"]["skipped"].endswith(" 60 wanted")
