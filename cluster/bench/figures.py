"""The figures of `vllm bench serve`, from its own result file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from cluster.bench.counters import Stored

#: The guide's own run has 1.1: sometimes two tokens arrive together.
_TOGETHER = 1.5


class Latency(Stored):
    """A time over all requests of a run, in milliseconds."""

    mean: float
    median: float
    p99: float


class Figures(Stored):
    """The figures of one run. Throughput is per second; `seconds` is from the first request sent to the last
    answer.

    ttft: time to the first token; tpot: time per output token after the first; itl: between two tokens; e2el: to
    the last token.
    `peak_concurrency` is the most requests in progress at one time, or None where this vLLM does not report it.
    """

    seconds: float
    completed: int
    failed: int
    input_tokens: int
    output_tokens: int
    requests_per_second: float
    output_per_second: float
    total_per_second: float
    ttft: Latency
    tpot: Latency
    itl: Latency
    e2el: Latency | None = None
    peak_concurrency: float | None = None

    @property
    def at_a_time(self) -> float:
        """Returns the number of tokens that the client got at a time. Its time between two tokens is that between
        two groups."""
        return self.itl.mean / self.tpot.mean if self.tpot.mean else 1.0

    @property
    def bunched(self) -> str:
        """Explains in words that tokens came in groups; empty where each came alone, as it was generated."""
        if self.at_a_time < _TOGETHER:
            return ""
        return (
            f"the client got about {self.at_a_time:,.0f} tokens at a time: the server did not send each token as"
            " it was generated; TTFT and ITL are times between groups of tokens"
        )


class RequestFigures(Stored):
    """One answered request, times in milliseconds. `tpot` is None for an answer of a single token."""

    ttft: float
    tpot: float | None
    e2el: float
    input_tokens: int
    output_tokens: int


class ParsedResult(Stored):
    """The whole result: figures, requests, and the errors of failed requests (each error once)."""

    figures: Figures
    requests: tuple[RequestFigures, ...]
    errors: tuple[str, ...]


def parse_result(text: str) -> ParsedResult:
    """Reads vLLM's result file, of 0.26 or newer. Raises ValueError for anything else."""
    try:
        result = json.loads(text)
        return ParsedResult(figures=_figures(result), requests=tuple(_requests(result)), errors=_errors(result))
    except (KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise ValueError(f"the file is not a result of vllm bench serve: {problem!r}") from None


def _figures(result: dict[str, Any]) -> Figures:
    return Figures(
        seconds=result["duration"],
        completed=result["completed"],
        # Older versions count only the answers.
        failed=result.get("failed", result["num_prompts"] - result["completed"]),
        input_tokens=result["total_input_tokens"],
        output_tokens=result["total_output_tokens"],
        requests_per_second=result["request_throughput"],
        output_per_second=result["output_throughput"],
        total_per_second=result["total_token_throughput"],
        ttft=_latency(result, "ttft"),
        tpot=_latency(result, "tpot"),
        itl=_latency(result, "itl"),
        e2el=_latency(result, "e2el") if "mean_e2el_ms" in result else None,
        peak_concurrency=result.get("max_concurrent_requests"),
    )


def _latency(result: dict[str, Any], name: str) -> Latency:
    mean, median, p99 = (result[f"{kind}_{name}_ms"] for kind in ("mean", "median", "p99"))
    return Latency(mean=mean, median=median, p99=p99)


def _requests(result: dict[str, Any]) -> list[RequestFigures]:
    """Returns the requests without an error: a failed request has no times."""
    rows = zip(
        result["ttfts"], result["itls"], result["input_lens"], result["output_lens"], result["errors"], strict=True
    )
    return [_request(*row) for *row, error in rows if not error]


def _request(ttft: float, itls: Sequence[float], input_tokens: int, output_tokens: int) -> RequestFigures:
    decoding = sum(itls)
    return RequestFigures(
        ttft=1000 * ttft,
        tpot=1000 * decoding / (output_tokens - 1) if output_tokens > 1 else None,
        e2el=1000 * (ttft + decoding),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def _errors(result: dict[str, Any]) -> tuple[str, ...]:
    """Returns the last line of each traceback, which names the error."""
    messages = (error.strip().splitlines()[-1] for error in result["errors"] if error.strip())
    return tuple(dict.fromkeys(messages))


def average(figures: Sequence[Figures]) -> Figures:
    """Returns the mean of each figure over runs of the same cell. Raises ValueError for an empty list."""
    return Figures.model_validate(_mean([run.model_dump() for run in figures]))


def _mean(values: Sequence[Any]) -> Any:
    """Returns the mean, or None as soon as one value is None: a mean of some would be another figure."""
    if not values:
        raise ValueError("there is no run to average")
    if any(value is None for value in values):
        return None
    if isinstance(values[0], dict):
        return {name: _mean([value[name] for value in values]) for name in values[0]}
    mean = fmean(values)
    return round(mean) if all(isinstance(value, int) for value in values) else mean
