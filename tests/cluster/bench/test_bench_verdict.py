"""Which runs count."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.bench.counters import counts as difference
from cluster.bench.verdict import Verdict, judge
from tests.cluster.bench.results import counters, counts, figures


def verdict(busy: int = 0, wanted: int = 2, errors: tuple[str, ...] = (), **counted: Any) -> Verdict:
    return judge(wanted, figures(), counts(**counted), errors, busy)


def test_a_cold_run_alone_at_the_server_is_valid() -> None:
    assert verdict() == Verdict(outcome="valid")
    # A BOS before each prompt, and somebody's probe.
    assert verdict(prompt_tokens=16_003, generated_tokens=2001, finished=3).outcome == "valid"


def test_a_warm_cache() -> None:
    found = verdict(hits=15_984)
    assert found.outcome == "invalid"
    assert found.reasons == ("not cold: 15,984 of 16,000 tokens (99.9 %) came from the prefix cache",)
    assert verdict(hits=160).outcome == "invalid"


def test_prompts_that_are_equal_by_chance() -> None:
    found = verdict(hits=159)
    assert found.outcome == "valid"
    assert found.notes == ("159 of 16,000 tokens were cached: some prompts are equal by chance",)


@pytest.mark.parametrize(
    "unknown", [{"hits": None}, {"queries": None}, {"prompt_tokens": None}, {"prompt_tokens": 0}]
)
def test_what_nobody_counts_is_not_proved(unknown: dict[str, Any]) -> None:
    assert verdict(**unknown).outcome == "invalid"
    assert "it is unknown whether the cache was cold" in verdict(**unknown).reasons[0]


def test_a_server_without_a_prefix_cache() -> None:
    found = verdict(queries=0)
    assert found.outcome == "valid"
    assert found.notes == ("the server did not use its prefix cache: it is turned off",)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"busy": 3}, "not alone: the server had 3 requests of other clients before the run"),
        (
            {"generated_tokens": 2100, "finished": 3},
            "not alone: the server generated 100 tokens for other clients",
        ),
        ({"prompt_tokens": 24_000, "finished": 3}, "not alone: the server read 8,000 tokens for other clients"),
    ],
)
def test_somebody_else_at_the_server(seen: dict[str, Any], said: str) -> None:
    assert verdict(**seen) == Verdict(outcome="invalid", reasons=(said,))


def test_failed_requests_come_before_all_else() -> None:
    found = verdict(wanted=5, errors=("ConnectionError: refused",), hits=16_000)
    assert found == Verdict(outcome="failed", reasons=("3 of 5 requests failed: ConnectionError: refused",))


def test_requests_that_were_put_back_are_noted() -> None:
    assert verdict(preemptions=4).notes == ("4 requests were preempted and computed again: the KV cache was full",)


def test_what_one_run_made_the_server_count() -> None:
    before, after = counters(finished=3), counters(finished=5, hits=7, prompt_tokens=None, preemptions=2)
    found = difference(before, after.model_copy(update={"prompt_tokens": 20_000}))
    assert (found.finished, found.hits, found.prompt_tokens, found.preemptions) == (2, 7, 4000, 2)
    assert difference(counters(hits=None), after.model_copy(update={"prompt_tokens": 20_000})).hits is None


def test_counters_that_began_anew() -> None:
    with pytest.raises(ValueError, match="restarted during the run"):
        difference(counters(finished=3), counters(finished=1))
