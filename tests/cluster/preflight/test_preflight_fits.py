"""The model on these GPUs, before it is loaded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cluster.inventory import Inventory
from cluster.plan import expected
from cluster.preflight import Evidence, report
from cluster.values import Finding, Plan, Report
from tests.cluster.builders import card, inventory, seen

_28B = "baidu/ERNIE-4.5-VL-28B-A3B-PT"


def looked(one: Inventory, plan: Plan | None = None, **overrides: Any) -> Report:
    hosts = seen(one, **overrides)
    return report(one, Evidence(hosts, plan=plan or expected(one, hosts)))


def only(found: Report, name: str) -> Finding:
    (one,) = [one for one in found.findings if one.name == name]
    return one


def test_the_424b_on_sixteen_gpus() -> None:
    found = looked(inventory())
    assert found.findings == ()
    assert {"model-layout", "model-fits"} <= set(found.passed)


def test_the_424b_on_eight_gpus_is_refused_with_what_would_make_it_fit() -> None:
    found = only(looked(inventory(1)), "model-fits")
    assert found.severity == "blocking"
    assert found.found.endswith(" GiB are lacking on a GPU")
    assert "a request of 131,072 tokens" in found.wanted
    assert found.cure.endswith("; `orchestrator plan` computes others")


def test_the_same_on_eight_larger_ones() -> None:
    large = tuple(card(index, memory_mib=143771) for index in range(8))
    assert looked(inventory(1), gpus=large).findings == ()


def test_what_is_lacking_by_less_than_a_plan_can_know_is_a_warning() -> None:
    one = inventory(1)
    plan = expected(one, seen(one))
    assert plan.fit is not None
    assert plan.fit.budget is not None
    near = replace(plan, fit=replace(plan.fit, lacking=plan.fit.budget // 25))
    assert only(looked(one, near), "model-fits").severity == "warning"


def test_a_layout_that_the_model_cannot_have() -> None:
    one = inventory(model={"id": _28B}, serve={"tensor_parallel_size": 4, "pipeline_parallel_size": 4})
    assert only(looked(one), "model-layout").severity == "blocking"


def test_a_model_whose_sizes_nobody_knows_is_not_tried() -> None:
    found = looked(inventory(model={"id": "/models/of-my-own"}))
    assert found.findings == ()
    assert {"model-layout", "model-fits"} <= set(found.untried)


@pytest.mark.parametrize("config", ["", "no JSON", "[" * 100_000, '"text"', "{}"])
def test_a_configuration_that_tells_nothing(config: str) -> None:
    one = inventory(model={"id": "/models/of-my-own"})
    hosts = seen(one)
    model = hosts["gpu-a"].facts.model.model_copy(update={"config": config})  # type: ignore[union-attr]
    assert {"model-layout", "model-fits"} <= set(looked(one, model=model).untried)


def test_the_heads_own_configuration_counts() -> None:
    """Twice the layers of what is published under this name."""
    one = inventory()
    known = expected(one, seen(one))
    assert known.fit is not None
    hosts = seen(one)
    config = json.dumps(_config() | {"num_hidden_layers": 108})
    model = hosts["gpu-a"].facts.model.model_copy(update={"config": config})  # type: ignore[union-attr]
    assert only(looked(one, model=model), "model-fits").severity == "blocking"


def _config() -> dict[str, Any]:
    from cluster.model import known_config

    found = known_config("baidu/ERNIE-4.5-VL-424B-A47B-PT")
    assert isinstance(found, dict)
    return {**found, "moe_layer_end_index": [107, 107]}
