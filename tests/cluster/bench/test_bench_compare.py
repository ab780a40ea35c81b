"""What pairs of runs prove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cluster.bench.compare import Difference, compare, paired
from cluster.bench.figures import Latency
from cluster.bench.record import Run
from cluster.bench.verdict import failed
from tests.cluster.bench.results import figures, run


def runs(speeds: Sequence[float], wait: float = 500.0, **overrides: Any) -> list[Run]:
    """Repeats of the same work."""
    latency = Latency(mean=wait, median=wait, p99=wait)
    made = [figures(output_per_second=speed, ttft=latency) for speed in speeds]
    return [run(repeat=at, figures=one, **overrides) for at, one in enumerate(made, 1)]


def difference(first: Sequence[Run], second: Sequence[Run], at: int = 0) -> Difference:
    (group,) = compare(paired(first, second))
    return group.differences[at]


def test_only_valid_runs_of_the_same_cell_are_pairs() -> None:
    lost = run(repeat=2, verdict=failed("why"))
    first = [*runs([100, 100, 100]), run(num_prompts=16)]
    second = [runs([110])[0], lost, run(repeat=3, workload="160/8")]
    assert [(one.repeat, other.repeat) for one, other in paired(first, second)] == [(1, 1)]


def test_a_difference_larger_than_its_spread() -> None:
    found = difference(runs([100, 101, 99]), runs([110, 110, 110]))
    assert found.change == pytest.approx(0.1, abs=0.001)
    assert found.low is not None
    assert found.high is not None
    # By hand: the logarithms' standard deviation is 0.0100, their mean 0.0954; 4.303 x 0.0100 / sqrt(3) = 0.0248.
    assert (found.low, found.high) == pytest.approx((0.0731, 0.1277), abs=0.0005)
    assert found.verdict == "B is better"
    assert difference(runs([110, 110, 110]), runs([100, 101, 99])).verdict == "A is better"


def test_less_is_better_of_a_wait() -> None:
    waits = difference(runs([100, 100], wait=500), runs([100, 100], wait=250), at=1)
    assert waits.metric.name == "TTFT median"
    assert (waits.change, waits.verdict) == (-0.5, "B is better")


def test_a_difference_within_its_spread_is_none() -> None:
    found = difference(runs([100, 120, 90]), runs([110, 115, 95]))
    assert found.change > 0
    assert found.verdict == "no difference shown"
    assert difference(runs([100, 100]), runs([100, 100])).verdict == "no difference shown"


def test_one_pair_says_nothing_of_a_spread() -> None:
    found = difference(runs([100]), runs([200]))
    assert (found.change, found.low, found.high) == (1, None, None)
    assert found.verdict == "one pair: no verdict"


def test_pairs_cancel_what_both_have_in_common() -> None:
    """A machine that drifts: unpaired, 10 % would drown in it."""
    found = difference(runs([100, 200, 400]), runs([110, 220, 440]))
    assert found.verdict == "B is better"


def test_a_group_for_each_cell_and_one_of_all() -> None:
    first = [*runs([100, 100]), *runs([50, 50], num_prompts=1), *runs([9, 9], workload="160/8", seed=8)]
    second = [*runs([110, 110]), *runs([55, 55], num_prompts=1), *runs([9.9, 9.9], workload="160/8", seed=9)]
    groups = compare(paired(first, second))
    assert [(group.shown, group.pairs, group.same_seed) for group in groups] == [
        ("prompt-heavy (8000/1000), 1 prompt", 2, 2),
        ("prompt-heavy (8000/1000), 2 prompts", 2, 2),
        ("160/8, 2 prompts", 2, 0),
        ("all together", 6, 4),
    ]
    assert groups[-1].differences[0].change == pytest.approx(0.1)


def test_a_figure_that_is_not_there_is_not_compared() -> None:
    nothing = Latency(mean=0, median=0, p99=0)
    one = [run(figures=figures(tpot=nothing))]
    (group,) = compare(paired(one, one))
    assert [found.metric.name for found in group.differences] == ["output tokens", "TTFT median", "TTFT P99"]


def test_many_pairs() -> None:
    many = runs([100 + (at % 3) for at in range(50)])
    assert difference(many, runs([110] * 50)).verdict == "B is better"
