"""vLLM's own result file, read."""

from __future__ import annotations

import json

import pytest

from cluster.bench.figures import Latency, average, parse_result
from tests.cluster.bench.results import figures, result
from tests.cluster.recorded import recorded


def test_figures_and_requests() -> None:
    found = parse_result(result())
    assert found.figures.output_per_second == 200
    assert (found.figures.completed, found.figures.failed, found.errors) == (2, 0, ())
    assert found.figures.ttft == Latency(mean=500, median=500, p99=1000)
    first = found.requests[0]
    assert (first.input_tokens, first.output_tokens, first.ttft) == (8000, 1000, 500)
    assert (first.tpot, first.e2el) == pytest.approx((10, 10490))


@pytest.mark.parametrize(("itl", "words"), [(10.0, ""), (14.9, ""), (20.0, "about 2 tokens at a time")])
def test_tokens_that_came_together(itl: float, words: str) -> None:
    found = figures(itl=Latency(mean=itl, median=itl, p99=itl))
    assert found.at_a_time == pytest.approx(itl / 10)
    assert words in found.bunched
    assert bool(found.bunched) is bool(words)


def test_answers_of_a_single_token_have_no_time_between() -> None:
    nothing = Latency(mean=0.0, median=0.0, p99=0.0)
    assert figures(tpot=nothing, itl=nothing).bunched == ""


def test_what_vllm_wrote() -> None:
    """vLLM 0.32, of the tiny model on CPUs: four prompts of 160/8."""
    found = parse_result(recorded("vllm/bench-serve.json"))
    assert (found.figures.completed, found.figures.input_tokens, found.figures.output_tokens) == (4, 644, 32)
    assert found.figures.peak_concurrency == 4
    assert found.figures.e2el
    assert sum(one.ttft for one in found.requests) / 4 == pytest.approx(found.figures.ttft.mean)
    assert sum(one.tpot or 0 for one in found.requests) / 4 == pytest.approx(found.figures.tpot.mean)
    assert sum(one.e2el for one in found.requests) / 4 == pytest.approx(found.figures.e2el.mean)


def test_failed_requests_have_no_times_and_say_why_once() -> None:
    found = parse_result(result(prompts=5, failed=3))
    assert len(found.requests) == 2
    assert found.errors == ("ConnectionError: refused",)
    assert found.figures.failed == 3


def test_an_answer_of_one_token_has_no_time_per_token() -> None:
    said = result(prompts=1, itls=[[]], output_lens=[1])
    assert parse_result(said).requests[0].tpot is None


def test_an_older_version_counts_the_answers_alone() -> None:
    said = json.loads(result(prompts=5, failed=3))
    for name in ("failed", "max_concurrent_requests", "mean_e2el_ms"):
        del said[name]
    found = parse_result(json.dumps(said)).figures
    assert (found.failed, found.peak_concurrency, found.e2el) == (3, None, None)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"duration": 1}', "null", "[" * 100_000, result(ttfts=[0.1])])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_result(text)


def test_the_average_of_several_runs() -> None:
    slow = figures(output_per_second=100.0, ttft=Latency(mean=700, median=600, p99=900), peak_concurrency=None)
    mean = average([figures(), slow])
    assert mean.output_per_second == 150
    assert mean.ttft == Latency(mean=600, median=550, p99=950)
    assert mean.completed == 2
    assert mean.peak_concurrency is None
    with pytest.raises(ValueError, match="no run"):
        average([])
