"""A run as it is kept, and what keeps two of them apart."""

from __future__ import annotations

import math

from cluster.bench.record import Run
from cluster.bench.summary import rows
from cluster.bench.verdict import failed
from tests.cluster.bench.results import conditions, counters, figures, run


def test_it_comes_back_as_it_was_kept() -> None:
    one = run(samples=({"at": 1.5, **counters().model_dump()},), rate=math.inf)
    assert Run.model_validate_json(one.model_dump_json()) == one
    assert one.cell.shown == "prompt-heavy (8000/1000), 2 prompts"


def test_equal_conditions_and_others() -> None:
    one = conditions()
    host = one.hosts[0]
    clocked = host.gpus[0].model_copy(update={"sm_clock": 1980})
    assert one.differences(conditions(transport="NET/IB", kv_cache_tokens=5)) == ()
    assert one.differences(conditions(hosts=(host.model_copy(update={"gpus": (clocked, *host.gpus[1:])}),))) == ()
    other = conditions(tensor_parallel_size=4, engine=("vllm", "serve"))
    assert one.differences(other) == (
        ("layout", "TP8 × PP1", "TP4 × PP1"),
        ("vllm serve", "/opt/vllm/bin/vllm serve --trust-remote-code", "vllm serve"),
    )


def test_weights_that_are_none() -> None:
    assert not conditions().dummy_weights
    assert not conditions(engine=()).dummy_weights
    assert conditions(engine=("--load-format", "dummy")).dummy_weights
    assert conditions(engine=("--load-format=dummy",)).dummy_weights


def test_a_row_for_each_workload_and_size() -> None:
    slow = run(repeat=2, figures=figures(output_per_second=100.0))
    lost = run(repeat=3, verdict=failed("why"), figures=None)
    small = run(workload="160/8", num_prompts=1)
    later = run(workload="1000/8000", num_prompts=1)
    found = rows([small, later, lost, slow, run()])
    assert [(row.workload.name, row.num_prompts, len(row.valid)) for row in found] == [
        ("prompt-heavy", 2, 2),
        ("decode-heavy", 1, 1),
        ("160x8", 1, 1),
    ]
    heavy = found[0]
    assert heavy.figures
    assert heavy.figures.output_per_second == 150
    assert heavy.output_range == (100, 200)
    assert heavy.left_out == (lost,)
    assert found[1].output_range is None
    assert rows([lost])[0].figures is None
