"""Whether a run counts: the server answered every request, used no cache, and had no other requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from cluster.bench.counters import Counts, Stored
from cluster.bench.figures import Figures

Outcome = Literal["valid", "invalid", "failed"]

#: Two random prompts can be equal by chance: vLLM makes them of consecutive token ids from a random start. Among
#: 512 prompts of ERNIE's 103,424 tokens, 1.3 equal pairs are expected: a quarter of a percent of the work. vLLM's
#: own benchmark draws the line here as well (PR #53920).
CHANCE = 0.01

#: Tokens that a server adds to a prompt (a BOS), and the tokens of one or two requests of a monitor.
_EXTRAS = 16


class Verdict(Stored):
    """The verdict on a run: `invalid` runs were measured but prove nothing, `failed` runs were not measured.

    Both are left out of every average. `reasons` are the causes, `notes` are remarks about a valid run.
    """

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge(requests: int, figures: Figures, counts: Counts, errors: tuple[str, ...], busy: int) -> Verdict:
    """Judges a run of `requests` requests. `busy` is the number of other requests that the server had before."""
    failures = tuple(_failures(requests, figures, errors))
    if failures:
        return Verdict(outcome="failed", reasons=failures)
    reasons = (*_warm(counts), *_shared(figures, counts, busy))
    notes = tuple(_notes(counts))
    return Verdict(outcome="invalid" if reasons else "valid", reasons=reasons, notes=notes)


def failed(*reasons: str) -> Verdict:
    return Verdict(outcome="failed", reasons=reasons)


def _failures(requests: int, figures: Figures, errors: tuple[str, ...]) -> Iterator[str]:
    missing = requests - figures.completed
    if missing or figures.failed:
        why = f": {'; '.join(errors[:3])}" if errors else ""
        yield f"{max(missing, figures.failed)} of {requests} requests failed{why}"


def _warm(counts: Counts) -> Iterator[str]:
    if counts.hits is None or counts.queries is None or not counts.prompt_tokens:
        yield "the server does not count the hits of its prefix cache: it is unknown whether the cache was cold"
    elif counts.hits and counts.hit_share >= CHANCE:
        looked_up = f"{counts.hits:,} of {counts.queries:,} tokens ({100 * counts.hit_share:.1f} %)"
        yield f"not cold: {looked_up} came from the prefix cache"


def _shared(figures: Figures, counts: Counts, busy: int) -> Iterator[str]:
    if busy:
        yield f"not alone: the server had {busy} requests of other clients before the run"
    if counts.generated_tokens is None or counts.prompt_tokens is None:
        return
    requests = max(counts.finished, figures.completed)
    for what, seen, ours in (
        ("generated", counts.generated_tokens, figures.output_tokens),
        ("read", counts.prompt_tokens, figures.input_tokens),
    ):
        foreign = seen - ours
        if foreign > CHANCE * ours + _EXTRAS * requests:
            yield f"not alone: the server {what} {foreign:,} tokens for other clients"
            return


def _notes(counts: Counts) -> Iterator[str]:
    if counts.queries == 0:
        yield "the server did not use its prefix cache: it is turned off"
    elif counts.hits:
        yield f"{counts.hits:,} of {counts.queries:,} tokens were cached: some prompts are equal by chance"
    if counts.preemptions:
        yield f"{counts.preemptions} requests were preempted and computed again: the KV cache was full"
