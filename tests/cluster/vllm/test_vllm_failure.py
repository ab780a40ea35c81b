"""A dead engine, as a person reads of it."""

from __future__ import annotations

import dataclasses

import pytest

from cluster.unit import Look
from cluster.values import Presence
from cluster.vllm.failure import engine_failed, is_dead
from tests.cluster.recorded import recorded

ALIVE = Look(Presence.ALIVE, None, 0, "", 0, 0)
DEAD = dataclasses.replace(ALIVE, presence=Presence.DEAD, status=137)
CRASH = recorded("vllm/crash-missing-shard.log")


@pytest.mark.parametrize(
    ("engine", "log", "dead"),
    [
        (ALIVE, "", False),
        (ALIVE, recorded("vllm/ready-tp2-ray.log"), False),
        (ALIVE, CRASH, True),
        (DEAD, "", True),
        (dataclasses.replace(ALIVE, presence=Presence.ABSENT), "", True),
    ],
)
def test_the_process_and_the_log_count(engine: Look, log: str, dead: bool) -> None:
    assert is_dead(engine, log) is dead


def test_the_root_cause_is_named() -> None:
    error = engine_failed("gpu-a", DEAD, CRASH)
    assert error.host == "gpu-a"
    assert error.cause.startswith("RayWorkerProc on 10.0.0.3: FileNotFoundError: Weight files")
    assert error.cause.endswith("\nthe model on that host is not complete")
    assert error.cure == "copy the model to that host again"
    assert len(error.last.splitlines()) <= 8


def test_without_a_cause_the_end_of_the_log_is_shown() -> None:
    log = "\n".join(f"line {number}" for number in range(30))
    error = engine_failed("gpu-a", DEAD, log)
    assert error.cause == "vLLM has ended (exit status 137)"
    assert error.last.splitlines() == [f"line {number}" for number in range(18, 30)]
    assert error.cure


def test_an_unknown_status_is_not_claimed() -> None:
    assert engine_failed("gpu-a", ALIVE, "").cause == "vLLM has ended"
