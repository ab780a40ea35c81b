"""Every example is an inventory that loads, and what it says of itself is what the plan finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.inventory import Inventory, load
from cluster.model import Fit
from cluster.plan import plan
from cluster.plan.results import Plan

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
GIB = 1 << 30

#: Tensor and pipeline parallelism, GPUs; GiB of weights on a GPU; tokens of KV cache; requests of full context.
PLANNED = {
    "ernie-28b-1x80g": (1, 1, 1, 58.28, 190_688, 1.45),
    "ernie-424b-8x141g-tp8": (8, 1, 8, 105.55, 663_728, 5.06),
    "ernie-424b-8x80g-fp8": (8, 1, 8, 56.32, 412_352, 3.15),
    "ernie-424b-16x80g-tp16": (16, 1, 16, 56.36, 393_008, 3.0),
    "ernie-424b-16x80g-tp8-pp2": (8, 2, 16, 55.25, 892_848, 6.81),
}


def loaded(path: Path) -> Inventory:
    return load(path, {})


def planned(path: Path) -> tuple[Plan, Fit]:
    found = plan(loaded(path))
    assert found.fit is not None
    return found, found.fit


def test_each_layout_of_the_guide_has_one() -> None:
    assert {path.stem for path in EXAMPLES} == set(PLANNED)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_it_fits_as_the_plan_has_it(path: Path) -> None:
    found, fit = planned(path)
    assert (found.runs, fit.fits, found.findings, found.levers) == (True, True, (), ())
    requests = round(fit.requests or 0, 2)
    weights = round(fit.largest.weights / GIB, 2)
    ways = found.tensor_parallel_size, found.pipeline_parallel_size
    sizes = (*ways, found.gpus, weights, fit.kv_tokens, requests)
    assert sizes == PLANNED[path.stem]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_what_it_says_of_itself_is_true(path: Path) -> None:
    said = " ".join(line.lstrip("# ") for line in path.read_text().splitlines())
    _, fit = planned(path)
    assert fit.kv_tokens is not None
    assert f"weights take {fit.largest.weights / GIB:.1f} GiB a GPU" in said
    assert f"The KV cache has {fit.kv_tokens // 1000},000 tokens" in said
    assert f"`orchestrator plan examples/{path.name}" in said


def test_the_reference_is_the_layout_of_one_of_them() -> None:
    """But for the ways to reach the hosts it is the same job."""
    one, other = loaded(ROOT / "inventory.yaml"), loaded(ROOT / "examples/ernie-424b-16x80g-tp16.yaml")
    assert (one.model, one.serve, one.ray, one.gpus) == (other.model, other.serve, other.ray, other.gpus)


def test_the_guides_offload_with_fp8_is_refused() -> None:
    """As the comment of that example says."""
    path = ROOT / "examples/ernie-424b-8x80g-fp8.yaml"
    one = loaded(path)
    assert one.serve.arguments[1:3] == ("--quantization", "fp8_per_tensor")
    serve = one.serve.model_copy(update={"arguments": (*one.serve.arguments, "--cpu-offload-gb", "50")})
    found = plan(one.model_copy(update={"serve": serve}))
    assert [finding.name for finding in found.findings] == ["quantization-offload"]
    assert found.runs is False
