"""A dead engine, as a person reads of it."""

from __future__ import annotations

import dataclasses

import pytest

from cluster.diagnosis.engine_failure import engine_failed, is_dead
from cluster.errors import NotReady
from cluster.launch.unit import UnitStatus
from cluster.values import Presence
from tests.cluster.builders import inventory
from tests.cluster.recorded import recorded

ALIVE = UnitStatus(Presence.ALIVE, None, 0, "", 0, 0)
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
def test_the_process_and_the_log_count(engine: UnitStatus, log: str, dead: bool) -> None:
    assert is_dead(engine, log) is dead


INVENTORY = inventory()


def died(log: str, engine: UnitStatus = DEAD) -> NotReady:
    """On hosts whose addresses are those of the recorded logs."""
    hosts = tuple(
        spec.model_copy(update={"cluster_address": f"10.0.0.{number}"})
        for number, spec in enumerate(INVENTORY.hosts, 2)
    )
    return engine_failed(INVENTORY.model_copy(update={"hosts": hosts}), engine, log)


def test_the_root_cause_is_named_with_its_rank_and_its_host() -> None:
    error = died(CRASH)
    assert error.host == "gpu-b"
    first, meaning = error.cause.splitlines()
    assert first.startswith("rank 1: FileNotFoundError: Weight files referenced in index but missing:")
    assert meaning == "the model on that host is not complete"
    assert error.cure == "copy the model to that host again"


def test_of_a_known_cause_where_it_was_found_is_enough() -> None:
    assert died(CRASH).last.splitlines()[-1] == "    raise FileNotFoundError("
    assert len(died(CRASH).last.splitlines()) == 2
    unknown = "(EngineCore pid=3) Traceback (most recent call last):\n" + "".join(
        f'(EngineCore pid=3)   File "{number}.py", line 1, in f\n(EngineCore pid=3)     ^^^^\n'
        for number in range(20)
    )
    lines = died(unknown + "(EngineCore pid=3) ValueError: nobody knows").last.splitlines()
    assert lines == [f'  File "{number}.py", line 1, in f' for number in range(12, 20)]


def test_a_long_exception_is_cut_and_the_log_named() -> None:
    error = died(f"ValueError: must be one of {list(range(500))}")
    assert len(error.cause) < 320
    assert error.cause.endswith(" …")
    assert error.cure == "read the whole log: `orchestrator logs gpu-a --unit vllm`"


def test_without_a_cause_the_end_of_the_log_is_shown() -> None:
    log = "\n".join(f"line {number}" for number in range(30))
    error = died(log, dataclasses.replace(DEAD, status=3))
    assert (error.host, error.cause) == ("gpu-a", "vLLM has exited (exit status 3)")
    assert error.last.splitlines() == [f"line {number}" for number in range(18, 30)]
    assert "orchestrator logs gpu-a" in error.cure


@pytest.mark.parametrize(
    ("status", "cause"),
    [(None, "vLLM has exited"), (-9, "vLLM was killed by SIGKILL"), (-99, "vLLM was killed by signal 99")],
)
def test_how_it_ended(status: int | None, cause: str) -> None:
    assert died("", dataclasses.replace(DEAD, status=status)).cause == cause


@pytest.mark.parametrize(
    "log",
    [
        "env: {'HF_TOKEN': 'planted', 'PATH': '/usr/bin'}\n",
        "(EngineCore pid=3) Traceback (most recent call last):\n(EngineCore pid=3) ValueError: HF_TOKEN=planted\n",
    ],
)
def test_no_secret_of_a_log_gets_into_the_error(log: str) -> None:
    error = died(log)
    assert "planted" not in error.last + error.cause
    assert "HF_TOKEN" in error.last + error.cause
