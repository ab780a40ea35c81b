"""Whether a run counts: every request answered, nothing from the cache, nobody else at the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from cluster.bench.counters import Counts, Frozen
from cluster.bench.figures import Figures

Outcome = Literal["valid", "invalid", "failed"]

#: Two random prompts can be the same by chance: vLLM makes them of consecutive token ids from a random one on, so
#: that 1.3 pairs are to be expected among 512 prompts of ERNIE's 103,424 tokens. That is a quarter of a percent of
#: the work. vLLM's own benchmark draws the line here as well (PR #53920).
CHANCE = 0.01

#: Tokens that a server adds to a prompt (a BOS), and those of a probe or two of somebody who monitors it.
_EXTRAS = 16


class Verdict(Frozen):
    """`invalid` runs were measured but prove nothing, `failed` ones were not; both are kept out of every average.

    `reasons` says why, `notes` what is worth knowing of a valid one.
    """

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge(wanted: int, found: Figures, counted: Counts, errors: tuple[str, ...], busy: int) -> Verdict:
    """`wanted` requests were to be sent; `busy` are those of others that the server had in hand before."""
    failures = tuple(_failures(wanted, found, errors))
    if failures:
        return Verdict(outcome="failed", reasons=failures)
    reasons = (*_warm(counted), *_shared(found, counted, busy))
    notes = tuple(_notes(counted))
    return Verdict(outcome="invalid" if reasons else "valid", reasons=reasons, notes=notes)


def failed(*reasons: str) -> Verdict:
    return Verdict(outcome="failed", reasons=reasons)


def _failures(wanted: int, found: Figures, errors: tuple[str, ...]) -> Iterator[str]:
    missing = wanted - found.completed
    if missing or found.failed:
        why = f": {'; '.join(errors[:3])}" if errors else ""
        yield f"{max(missing, found.failed)} of {wanted} requests failed{why}"


def _warm(counted: Counts) -> Iterator[str]:
    if counted.hits is None or counted.queries is None or not counted.prompt_tokens:
        yield "the server does not count what its prefix cache gives: nothing proves that it was cold"
    elif counted.hits and counted.hit_share >= CHANCE:
        looked_up = f"{counted.hits:,} of {counted.queries:,} tokens ({100 * counted.hit_share:.1f} %)"
        yield f"not cold: {looked_up} came from the prefix cache"


def _shared(found: Figures, counted: Counts, busy: int) -> Iterator[str]:
    if busy:
        yield f"not alone: the server had {busy} requests of others in hand before"
    if counted.generated_tokens is None or counted.prompt_tokens is None:
        return
    requests = max(counted.finished, found.completed)
    for what, seen, ours in (
        ("generated", counted.generated_tokens, found.output_tokens),
        ("read", counted.prompt_tokens, found.input_tokens),
    ):
        foreign = seen - ours
        if foreign > CHANCE * ours + _EXTRAS * requests:
            yield f"not alone: the server {what} {foreign:,} tokens for others"
            return


def _notes(counted: Counts) -> Iterator[str]:
    if counted.queries == 0:
        yield "the server looked nothing up in a prefix cache: it is turned off there"
    elif counted.hits:
        yield f"{counted.hits:,} of {counted.queries:,} tokens were cached: prompts that are equal by chance"
    if counted.preemptions:
        yield f"{counted.preemptions} requests were put back for want of KV cache, and read again"
