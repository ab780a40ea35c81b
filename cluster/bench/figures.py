"""What `vllm bench serve` measured, out of its own result file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from cluster.bench.counters import Frozen

#: The guide's own run has 1.1: now and then two tokens arrive as one.
_TOGETHER = 1.5


class Latency(Frozen):
    """Of all requests of a run, in milliseconds."""

    mean: float
    median: float
    p99: float


class Figures(Frozen):
    """One run. Throughput is per second, `seconds` from the first request sent to the last answer.

    ttft: time to the first token; tpot: time per output token after the first; itl: between two tokens; e2el: to
    the last one. `peak_concurrency`: most requests in hand at one time, None where this vLLM does not say.
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
        """Tokens that the client got at a time: its times between two are between what came together."""
        return self.itl.mean / self.tpot.mean if self.tpot.mean else 1.0

    @property
    def bunched(self) -> str:
        """In words, where tokens came together; empty where each came by itself, as it was generated."""
        if self.at_a_time < _TOGETHER:
            return ""
        return (
            f"tokens came to the client about {self.at_a_time:,.0f} at a time: the server could not send each as"
            " it was generated, or was told not to; TTFT and ITL are those of what came together"
        )


class RequestFigures(Frozen):
    """One request that was answered, times in milliseconds. `tpot` is None of an answer of a single token."""

    ttft: float
    tpot: float | None
    e2el: float
    input_tokens: int
    output_tokens: int


class Measured(Frozen):
    """The whole result: figures, requests, and what failed ones were told (each error once)."""

    figures: Figures
    requests: tuple[RequestFigures, ...]
    errors: tuple[str, ...]


def measured(text: str) -> Measured:
    """Reads vLLM's result file, of 0.26 or newer. Raises ValueError for anything else."""
    try:
        found = json.loads(text)
        return Measured(figures=_figures(found), requests=tuple(_requests(found)), errors=_errors(found))
    except (KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise ValueError(f"not a result of vllm bench serve: {problem!r}") from None


def _figures(found: dict[str, Any]) -> Figures:
    return Figures(
        seconds=found["duration"],
        completed=found["completed"],
        # Older versions count the answers alone.
        failed=found.get("failed", found["num_prompts"] - found["completed"]),
        input_tokens=found["total_input_tokens"],
        output_tokens=found["total_output_tokens"],
        requests_per_second=found["request_throughput"],
        output_per_second=found["output_throughput"],
        total_per_second=found["total_token_throughput"],
        ttft=_latency(found, "ttft"),
        tpot=_latency(found, "tpot"),
        itl=_latency(found, "itl"),
        e2el=_latency(found, "e2el") if "mean_e2el_ms" in found else None,
        peak_concurrency=found.get("max_concurrent_requests"),
    )


def _latency(found: dict[str, Any], name: str) -> Latency:
    return Latency(mean=found[f"mean_{name}_ms"], median=found[f"median_{name}_ms"], p99=found[f"p99_{name}_ms"])


def _requests(found: dict[str, Any]) -> list[RequestFigures]:
    """Those without an error: a failed one has no times."""
    rows = zip(
        found["ttfts"], found["itls"], found["input_lens"], found["output_lens"], found["errors"], strict=True
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


def _errors(found: dict[str, Any]) -> tuple[str, ...]:
    """The last line of each traceback says what it was."""
    said = (error.strip().splitlines()[-1] for error in found["errors"] if error.strip())
    return tuple(dict.fromkeys(said))


def average(figures: Sequence[Figures]) -> Figures:
    """Of runs of the same cell: the mean of each figure. Raises ValueError for none."""
    return Figures.model_validate(_mean([one.model_dump() for one in figures]))


def _mean(values: Sequence[Any]) -> Any:
    """None as soon as one of them is: a mean of some would be another figure."""
    if not values:
        raise ValueError("no run to average")
    if any(value is None for value in values):
        return None
    if isinstance(values[0], dict):
        return {name: _mean([value[name] for value in values]) for name in values[0]}
    mean = fmean(values)
    return round(mean) if all(isinstance(value, int) for value in values) else mean
