"""How far a start is, read from real logs."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.engine.vllm_log import FATAL, Loading, failed, last_line, loaded, loading, moving_lines, without_nccl
from tests.cluster.recorded import recorded

STAGES = [
    "launched",
    "starting",
    "reading the model's configuration",
    "starting the engine",
    "joining Ray",
    "reserving GPUs",
    "loading weights",
    "preparing the KV cache",
    "starting the server",
    "serving",
]
ON_GPUS = {
    "gpu-28b-tp1": 244_576,
    "gpu-28b-tp2-ray": 1_469_136,
    "gpu-424b-8L-tp2-ray": 1_671_760,
    "gpu-28b-images-tp1": 216_272,
}
HEALTHY = (*ON_GPUS, "ready-tp2-ray", "ready-tp16-ray", "ready-tp2-mp", "stopped-tp2-ray", "sigterm-while-loading")
SAYS = st.sampled_from(
    [
        "KV cache size: 1,2,,, tokens", "KV cache size: , tokens", "KV cache size: 999 tokens\n",
        "Loading safetensors checkpoint shards:  1% Completed | 99999999999999999999/2",
        "Loading safetensors checkpoint shards:   0% Completed | 0/0", "Model loading took", *FATAL,
    ]
)  # fmt: skip


def prefixes(log: str) -> list[str]:
    lines = log.splitlines(keepends=True)
    return ["".join(lines[:count]) for count in range(len(lines) + 1)]


@pytest.fixture(scope="module")
def along() -> list[Loading]:
    """What is said of the recorded start after each of its lines."""
    return [loading(prefix) for prefix in prefixes(recorded("vllm/ready-tp2-ray.log"))]


def test_the_stages_come_in_order(along: list[Loading]) -> None:
    assert [stage for stage, _ in groupby(one.stage for one in along)] == STAGES


def test_the_shards_are_counted(along: list[Loading]) -> None:
    assert [pair for pair, _ in groupby((one.shards, one.of) for one in along)] == [(0, 0), (0, 5), (4, 5), (5, 5)]
    assert {str(one) for one in along if one.stage == "loading weights"} == {
        f"loading weights ({done} of 5 shards)" for done in (0, 4, 5)
    }
    assert str(along[-1]) == "serving"


def test_the_kv_cache_is_known_once_it_is_said(along: list[Loading]) -> None:
    assert [tokens for tokens, _ in groupby(one.kv_tokens for one in along)] == [None, 43_648]


@pytest.mark.parametrize(("name", "tokens"), ON_GPUS.items())
def test_starts_on_gpus(name: str, tokens: int) -> None:
    """Dummy weights have no shards; CUDA graphs are a stage of their own, and NCCL connects the ranks."""
    along = [loading(prefix) for prefix in prefixes(recorded(f"vllm/{name}.log"))]
    over_ray = ["joining Ray", "reserving GPUs"] if name.endswith("ray") else []
    assert [stage for stage, _ in groupby(one.stage for one in along)] == [
        "launched", "starting", "reading the model's configuration", "starting the engine", *over_ray,
        "connecting the ranks", "loading weights", "profiling memory", "preparing the KV cache",
        "capturing CUDA graphs", "starting the server", "serving",
    ]  # fmt: skip
    assert [found for found, _ in groupby(one.kv_tokens for one in along)] == [None, tokens]
    assert {(one.shards, one.of) for one in along} == {(0, 0)}
    assert without_nccl(recorded(f"vllm/{name}.log")) == ""


def test_weights_are_in_place_from_the_kv_cache_on() -> None:
    answers = [loaded(prefix) for prefix in prefixes(recorded("vllm/ready-tp2-ray.log"))]
    assert [answer for answer, _ in groupby(answers)] == [False, True]


def test_half_a_line_is_no_surprise() -> None:
    log = recorded("vllm/ready-tp2-ray.log")
    ranks = [STAGES.index(loading(log[:end]).stage) for end in range(0, len(log), 97)]
    assert all(before <= after for before, after in pairwise(ranks))


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_in_a_healthy_log_is_fatal(name: str) -> None:
    assert not any(failed(prefix) for prefix in prefixes(recorded(f"vllm/{name}.log")))


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("crash-corrupt-shard", "EngineCore failed to start"),
        ("crash-kv-too-small", "EngineCore failed to start"),
        ("crash-missing-shard", "EngineCore failed to start"),
        ("local-ray", "Started a local Ray instance"),
        ("placement-wait", "for 30 seconds"),
        ("rank-killed", "died unexpectedly"),
    ],
)
def test_a_crash_is_seen_with_the_line_that_says_so(name: str, after: str) -> None:
    lines = recorded(f"vllm/{name}.log").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if after in line)
    assert [failed("".join(lines[:end])) for end in (at, at + 1, len(lines))] == [False, True, True]


def test_one_wait_for_gpus_is_not_the_end_and_two_are() -> None:
    wait = "Waiting for creating a placement group of specs for 10 seconds.\n"
    begin = "No current placement group found. Creating a new placement group.\n"
    assert [failed(begin + wait), failed(begin + 2 * wait)] == [False, True]
    assert not failed(begin + 2 * wait + "(Worker_TP0) Starting to load model /m\n")


@pytest.mark.parametrize(
    ("line", "gloo"),
    [
        ("world_size=2 rank=0 local_rank=0 distributed_init_method=tcp://a:1 backend=gloo", True),
        ("world_size=2 rank=0 local_rank=0 distributed_init_method=tcp://a:1 backend=nccl", False),
        ("", False),
    ],
)
def test_ranks_on_cpus_talk_through_gloo(line: str, gloo: bool) -> None:
    assert bool(without_nccl(line)) is gloo


def test_recorded_ranks_talk_through_gloo() -> None:
    assert without_nccl(recorded("vllm/ready-tp2-ray.log")).endswith("backend=gloo")


def test_waiting_is_no_progress() -> None:
    waits = (
        "No available shared memory broadcast block found in 60 seconds\nWaiting for creating a placement group\n"
    )
    assert moving_lines("one\n" + waits + "two\n") == 2


@pytest.mark.parametrize(
    ("log", "last"),
    [
        ("one\ntwo\n", "two"),
        ("", ""),
        ("\x1b[36m(RayWorkerProc pid=4, ip=10.0.0.3)\x1b[0m (Worker_TP1 pid=4) INFO done\n\n", "INFO done"),
        ("said\n\x1b[36m(RayWorkerProc pid=428)\x1b[0m \n", "said"),
        ("Loading:  20%\rLoading:  40%\r", "Loading:  40%"),
    ],
)
def test_the_last_line_that_says_something(log: str, last: str) -> None:
    assert last_line(log) == last


@settings(max_examples=60)
@given(st.lists(st.text() | SAYS))
def test_arbitrary_logs_never_fail(lines: list[str]) -> None:
    log = "\n".join(lines)
    assert loading(log).shards >= 0
    assert isinstance(failed(log), bool)
    assert moving_lines(log) >= 0


@pytest.mark.parametrize("words", ["Started a local Ray instance", "EngineCore encountered a fatal error"])
def test_what_clients_write_into_the_log_of_one_that_serves_is_no_death(words: str) -> None:
    client = f"(APIServer pid=203) ERROR 11-22 18:05:15 [serving.py:274] Error with model {words} does not exist"
    assert not failed(f"INFO:     Application startup complete.\n{client}\n")
    assert failed(f"{words}\nINFO:     Application startup complete.\n")
