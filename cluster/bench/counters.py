"""The server's counters, from its /metrics: before a run, during it, and after it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, FiniteFloat

#: Our name -> vLLM's, of gauges and counters; several engines and reasons are added up. The program on the host
#: reads them: a sample then takes one line instead of the whole page.
FAMILIES = {
    "running": "vllm:num_requests_running",
    "waiting": "vllm:num_requests_waiting",
    "kv_usage": "vllm:kv_cache_usage_perc",
    "queries": "vllm:prefix_cache_queries_total",
    "hits": "vllm:prefix_cache_hits_total",
    "prompt_tokens": "vllm:prompt_tokens_total",
    "generated_tokens": "vllm:generation_tokens_total",
    "finished": "vllm:request_success_total",
    "preemptions": "vllm:num_preemptions_total",
}


class Stored(BaseModel):
    """A value that is written to disk as JSON and read again, maybe by a later version. Unknown keys are
    accepted."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


Counted = Annotated[int, BeforeValidator(lambda value: 0 if value is None else value)]


class Counters(Stored):
    """Counts since the server started; `running`, `waiting` and `kv_usage` (0 to 1) are current values.

    `queries` counts the tokens that were looked up in the prefix cache, `hits` those that were found. A count is
    None where the server does not report it.
    """

    running: Counted = 0
    waiting: Counted = 0
    kv_usage: FiniteFloat | None = None
    queries: int | None = None
    hits: int | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    finished: Counted = 0
    preemptions: Counted = 0

    @property
    def busy(self) -> int:
        """Returns the number of requests that the server is processing or holds in its queue."""
        return self.running + self.waiting


class Sample(Counters):
    """The counters at a moment: `at` is in seconds since the run began."""

    at: FiniteFloat


class Counts(Stored):
    """The counts of one run. A count is None where the server does not report it."""

    queries: int | None
    hits: int | None
    prompt_tokens: int | None
    generated_tokens: int | None
    finished: int
    preemptions: int

    @property
    def hit_share(self) -> float:
        """Returns the share of the looked-up tokens that were found."""
        return (self.hits or 0) / self.queries if self.queries else 0.0


def counts(before: Counters, after: Counters) -> Counts:
    """Returns the difference. Raises ValueError where a count has fallen: the server was restarted."""
    for name in ("finished", "prompt_tokens", "generated_tokens"):
        if (getattr(after, name) or 0) < (getattr(before, name) or 0):
            raise ValueError(
                "the server's counters started again from zero: the server was restarted during the run"
            )
    return Counts(
        queries=_between(before.queries, after.queries),
        hits=_between(before.hits, after.hits),
        prompt_tokens=_between(before.prompt_tokens, after.prompt_tokens),
        generated_tokens=_between(before.generated_tokens, after.generated_tokens),
        finished=after.finished - before.finished,
        preemptions=after.preemptions - before.preemptions,
    )


def _between(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
