"""The model on these GPUs, before it is loaded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cluster.inventory import Inventory
from cluster.model import Fit
from cluster.plan import expected
from cluster.plan.results import Plan
from cluster.preflight.check import Evidence
from cluster.preflight.report import report
from cluster.values import CheckReport, Finding
from cluster.values.facts import ModelFiles
from tests.cluster.builders import card, inventory, seen

_28B = "baidu/ERNIE-4.5-VL-28B-A3B-PT"


#: Of the 424B in bf16.
_FILES = {"config.json": 9000, "model-00001-of-00001.safetensors": 848_000_000_000}


def looked(one: Inventory, plan: Plan | None = None, **overrides: Any) -> CheckReport:
    hosts = seen(one, **{"model": files(), **overrides})
    return report(one, Evidence(hosts, plan=plan or expected(one, hosts)))


def files(**overrides: Any) -> ModelFiles:
    return ModelFiles(**{"path": "/models/ernie", "sizes": _FILES, **overrides})


def only(result: CheckReport, name: str) -> Finding:
    (finding,) = [finding for finding in result.findings if finding.name == name]
    return finding


def test_the_424b_on_sixteen_gpus() -> None:
    result = looked(inventory())
    assert result.findings == ()
    assert {"model-layout", "model-fits"} <= set(result.passed)


def test_the_424b_on_eight_gpus_is_refused_with_what_would_make_it_fit() -> None:
    result = only(looked(inventory(1)), "model-fits")
    assert result.severity == "blocking"
    assert result.found.endswith(" GiB are missing on a GPU")
    assert "a request of 131,072 tokens" in result.wanted
    assert result.cure.startswith("weights in FP8 (--quantization fp8_per_tensor); ")
    assert "`--skip model-fits`" in result.cure


def test_the_same_on_eight_larger_ones() -> None:
    large = tuple(card(index, memory_mib=143771) for index in range(8))
    assert looked(inventory(1), gpus=large).findings == ()


def lacking(fit: Fit, size: int) -> Fit:
    """The same model on GPUs that lack so much."""
    more = (fit.lacking or 0) - size
    stages = tuple(replace(stage, left=(stage.left or 0) + more) for stage in fit.stages)
    changed = replace(fit, stages=stages)
    assert changed.lacking == size
    return changed


def test_what_is_lacking_by_less_than_a_plan_can_know_is_a_warning() -> None:
    one = inventory(1)
    plan = expected(one, seen(one))
    assert plan.fit is not None
    assert plan.fit.budget is not None
    near = replace(plan, fit=lacking(plan.fit, plan.fit.budget // 25))
    assert only(looked(one, near), "model-fits").severity == "warning"
    small = replace(plan, fit=lacking(replace(plan.fit, budget=22 << 30), 2 << 30))
    assert only(looked(one, small), "model-fits").severity == "warning"


@pytest.mark.parametrize(
    "more",
    [
        ("--offload-group-size", "2"),
        ("--decode-context-parallel-size", "2"),
        ("--max-model", "8192"),
        ("--kv-cache-mem=8589934592",),
    ],
)
def test_what_counts_and_was_not_counted_is_a_warning(more: tuple[str, ...]) -> None:
    one = inventory(1, serve={"arguments": ("--trust-remote-code", *more)})
    assert only(looked(one), "model-fits").severity == "warning"


def test_files_that_are_smaller_than_planned_are_quantized_somehow() -> None:
    half = files(sizes={"config.json": 9000, "model.safetensors": 424_000_000_000})
    assert only(looked(inventory(1), model=half), "model-fits").severity == "warning"


def test_memory_that_was_declared_and_not_seen_is_a_warning() -> None:
    one = inventory(1, each={"min_gpu_memory_mib": 80_000})
    cards = tuple(card(index, memory_mib=None) for index in range(8))
    assert only(looked(one, gpus=cards), "model-fits").severity == "warning"
    assert "model-fits" in looked(inventory(1), gpus=cards).untried


def test_a_length_that_vllm_chooses_needs_room_for_one_token() -> None:
    """Weights that nearly fill what vLLM may take: what lacks is no cache of full length."""
    arguments = ("--trust-remote-code", "--max-model-len", "auto", "--gpu-memory-utilization", "0.78")
    one = inventory(1, gpus=1, model={"id": _28B}, serve={"tensor_parallel_size": 1, "arguments": arguments})
    result = only(looked(one), "model-fits")
    assert result.severity == "warning"
    assert "a request of 1 tokens" in result.wanted


def test_a_layout_that_the_model_cannot_have() -> None:
    one = inventory(model={"id": _28B}, serve={"tensor_parallel_size": 4, "pipeline_parallel_size": 4})
    assert only(looked(one), "model-layout").severity == "blocking"


def test_a_model_whose_sizes_nobody_knows_is_not_tried() -> None:
    result = looked(inventory(model={"id": "/models/of-my-own"}))
    assert result.findings == ()
    assert {"model-layout", "model-fits"} <= set(result.untried)


@pytest.mark.parametrize("config", ["", "no JSON", "[" * 100_000, '"text"', "{}"])
def test_a_configuration_that_tells_nothing(config: str) -> None:
    one = inventory(model={"id": "/models/of-my-own"})
    assert {"model-layout", "model-fits"} <= set(looked(one, model=files(config=config)).untried)


def test_the_heads_own_configuration_counts() -> None:
    """Twice the layers of what is published under this name."""
    twice = files(
        config=json.dumps(_config() | {"num_hidden_layers": 108}), sizes={"model.safetensors": 1_690_000_000_000}
    )
    assert only(looked(inventory(), model=twice), "model-fits").severity == "blocking"


def _config() -> dict[str, Any]:
    from cluster.model import known_config

    result = known_config("baidu/ERNIE-4.5-VL-424B-A47B-PT")
    assert isinstance(result, dict)
    return {**result, "moe_layer_end_index": [107, 107]}
