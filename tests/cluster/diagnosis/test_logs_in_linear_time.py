"""What hosts, engines and clients write is looked at in time that grows with its length alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from cluster.diagnosis.log_lines import split
from cluster.diagnosis.root_cause import root_cause
from cluster.engine.nccl import transport
from cluster.engine.requests import load
from cluster.engine.vllm_log import READY, failed, last_line, loading, moving_lines, without_nccl
from cluster.launch.ray import exit_cause
from cluster.remote.common.redact import redact

_PROCESS = "(EngineCore pid=1) "
#: What a pattern begins with, again and again: each could be the beginning of what it looks for.
UNITS = (
    "(EngineCore", "(EngineCore pid=1) ERROR ", " ERROR [", "(a pid=1", "1", "world_size=1 rank=", "init engine ",
    "RayTaskError(A): ray::b ", "A worker died  Worker IP address: a ", "RayWorkerProc rank=[1 ", " ",
    "class_name: RayWorkerProc actor_id: a pid: 1 name: _TP1", "_TP1", "Traceback (most recent call last):\n",
    "quantization dtype max_model_len NCCL GCS has RpcError invalid choice: ", "port ", "lost connection to ",
    "via NET/IB/", "vllm:num_requests_running{\n", "\x1b[3", "a.", "Loading safetensors checkpoint shards: ",
    " [repeated 1x across cluster] ", "Gloo", "process_start_time_seconds ", "x" * 100 + "\n", "token",
)  # fmt: skip


def metrics(text: str) -> object:
    with pytest.raises(ValueError, match="does not contain vllm"):
        load(text)
    return None


LOOKS: tuple[Callable[[str], object], ...] = (
    lambda text: failed(text),
    lambda text: failed(f"{READY}\n{text}"),
    loading,
    last_line,
    moving_lines,
    without_nccl,
    split,
    root_cause,
    lambda text: root_cause(f"Traceback (most recent call last):\n  frame\nValueError: {text}"),
    exit_cause,
    metrics,
    lambda text: transport((text,)),
    lambda text: redact(text, (), "TOKEN"),
)


@pytest.mark.parametrize("unit", UNITS)
def test_no_look_at_a_text_takes_more_than_its_length_is_worth(unit: str) -> None:
    """Sixty KiB, as much as a client can have logged at once, take a fraction of a second."""
    text = unit * (60_000 // len(unit))
    for look in LOOKS:
        for lead in ("", _PROCESS):
            begun = time.process_time()
            look(lead + text)
            assert time.process_time() - begun < 2.0, look


def test_numbers_that_nobody_can_read_are_no_numbers() -> None:
    digits = "1" * 5000
    log = f"(EngineCore pid={digits}) x\nRayWorkerProc rank=[{digits}] died\nworld_size=2 rank={digits} \n"
    assert root_cause(log) is None or root_cause(log)
