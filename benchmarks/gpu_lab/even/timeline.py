"""What the client's own times of each token say of an engine's steps."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Span = tuple[float, float]


def figures(result: Mapping[str, Any]) -> dict[str, float]:
    """Reads a result of `vllm bench serve --save-detailed`. Returns how many requests decode while one does, on
    average, the median time between two tokens, and that of the whole answers."""
    spans = [
        (start + first, start + first + sum(gaps))
        for start, first, gaps in zip(result["start_times"], result["ttfts"], result["itls"], strict=True)
    ]
    gaps = [gap for each in result["itls"] for gap in each]
    return {
        "decoding": round(decoding(spans), 2),
        "step_ms": round(1000 * statistics.median(gaps), 3) if gaps else 0.0,
    }


def decoding(spans: Sequence[Span]) -> float:
    """The mean, over the time of each request's answer, of how many answer at that time."""
    own = sum(end - start for start, end in spans)
    shared = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in spans for b in spans)
    return shared / own if own else 0.0
