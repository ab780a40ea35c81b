"""How long the rest may take."""

from __future__ import annotations

import pytest

from cluster.bench.verdict import failed
from cluster.bench.workload import GUIDE, Cell
from orchestrator.bench.estimate import remaining_seconds
from orchestrator.bench.run_summary import duration, summary_line
from tests.cluster.bench.results import counts, run

HEAVY, DECODE, BALANCED = GUIDE


def test_nothing_is_known_before_the_first_run() -> None:
    assert remaining_seconds([Cell(HEAVY, 1)], []) is None
    assert remaining_seconds([Cell(HEAVY, 1)], [run(figures=None, verdict=failed("why"))]) is None
    assert remaining_seconds([], [run()]) == 0


def test_one_size_known() -> None:
    known = [run(num_prompts=4, seconds=20.0)]
    assert remaining_seconds([Cell(HEAVY, 4)], known) == pytest.approx(20)
    assert remaining_seconds([Cell(HEAVY, 16)], known) == pytest.approx(40)
    # Answers eight times as long, and as many.
    assert remaining_seconds([Cell(DECODE, 4)], known) == pytest.approx(160)
    assert remaining_seconds([Cell(BALANCED, 4), Cell(HEAVY, 4)], known) == pytest.approx(40)


def test_two_sizes_known() -> None:
    known = [run(num_prompts=16, seconds=60.0), run(num_prompts=4, seconds=20.0), run(num_prompts=1, seconds=19.0)]
    assert remaining_seconds([Cell(HEAVY, 64)], known) == pytest.approx(180)
    flat = [run(num_prompts=4, seconds=20.0), run(num_prompts=16, seconds=10.0)]
    assert remaining_seconds([Cell(HEAVY, 64)], flat) == pytest.approx(10)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2, "about 10 s"),
        (43, "about 40 s"),
        (59, "about 1 min"),
        (750, "about 12 min"),
        (7800, "about 2 h 10 min"),
    ],
)
def test_a_guess_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_run_in_words() -> None:
    start = "prompt-heavy (8000/1000), 2 prompts: "
    assert summary_line(run()) == (
        f"{start}200.0 tokens/s generated, 1,800.0 in all, TTFT 500 ms, TPOT 10.0 ms;"
        " 0 of 16,000 tokens from the prefix cache"
    )
    assert summary_line(run(counts=counts(hits=None))).endswith("; prefix cache unknown")
    lost = run(verdict=failed("1 of 2 requests failed", "so it was"))
    assert summary_line(lost) == f"{start}failed; not part of the averages: 1 of 2 requests failed; so it was"
    warm = run(verdict=failed("not cold").model_copy(update={"outcome": "invalid"}))
    assert summary_line(warm).endswith("TPOT 10.0 ms; invalid, not part of the averages: not cold")
