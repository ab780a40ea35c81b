"""Weights of a rank, to the byte: against what vLLM's own classes build for it (recorded, and built anew)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster.model.layout import obstacles, tensors_on_stage
from cluster.model.tensors import ROTARY, Tensor
from tests.cluster.model.configs import BUILT, CONFIGS, REFUSED, Case

RECORDED = Path(__file__).parents[2] / "recorded/vllm/built.jsonl"
#: Bytes of tables that are not counted: the vision tower's rotary embedding, and of token ids.
SMALL_TABLES = 4096


def recorded() -> dict[Case, dict[str, Any]]:
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return {Case(*line["case"]): line["said"] for line in lines}


def builds(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """What vLLM says of these cases, now."""
    asked = [{**case._asdict(), "config": CONFIGS[case.config]} for case in cases]
    program = Path(__file__).with_name("built_by_vllm.py")
    done = subprocess.run([sys.executable, program], input=json.dumps(asked), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def tensors(case: Case) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters, and caches of the rotary embedding."""
    tensors = list(tensors_on_stage(case.shape, case.layout(), case.stage))
    return [one for one in tensors if one.part != ROTARY], [one for one in tensors if one.part == ROTARY]


@pytest.mark.parametrize("case", BUILT, ids=str)
def test_weights_are_those_that_vllm_builds(case: Case) -> None:
    built = recorded()[case]
    parameters, rotary = tensors(case)
    assert {
        "elements": sum(one.on_gpu(case.tensor_parallel_size) for one in parameters),
        "parameters": sum(map(case.layout().bytes_of, parameters)),
        "fp8": sum(map(case.layout(fp8=True).bytes_of, parameters)),
    } == {key: built[key] for key in ("elements", "parameters", "fp8")}
    caches = sum(map(case.layout().bytes_of, rotary))
    assert 0 <= built["buffers"] - caches < SMALL_TABLES


@pytest.mark.parametrize("case", BUILT, ids=str)
def test_what_vllm_builds_has_no_obstacle(case: Case) -> None:
    assert list(obstacles(case.shape, case.layout())) == []


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_vllm_does_not_build_has_one(case: Case) -> None:
    assert "error" in recorded()[case]
    assert list(obstacles(case.shape, case.layout()))


@pytest.mark.real_vllm
def test_the_record_is_what_vllm_builds_now() -> None:
    """An upgrade of vLLM that changes what a model weighs is seen here: `python -m tests.cluster.model.record`."""
    ours = [case for case in BUILT if case.config.startswith(("424b", "28b"))]
    cases = (*ours, *(case for case in BUILT if case.tensor_parallel_size == 8 and case not in ours), *REFUSED)
    now = dict(zip(cases, builds(cases), strict=True))
    assert now == {case: recorded()[case] for case in cases}
