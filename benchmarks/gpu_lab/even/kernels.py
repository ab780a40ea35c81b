"""Where a step of decode goes, from a trace of PyTorch's profiler."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

#: Group -> what names of its kernels contain; the first that fits.
GROUPS = {
    "experts": ("fused_moe",),
    "routing": ("moe_align", "count_and_sort", "topk", "moe_sum", "topkGating"),
    "attention": ("flash", "FlashAttn", "fmha", "reshape_and_cache"),
    "matrix products": ("gemm", "nvjet", "cutlass", "splitK", "gemv", "cublas"),
}
#: One of its kernels runs once a layer and step.
_ONCE_A_LAYER = "reshape_and_cache"


def group(name: str) -> str:
    return next((key for key, words in GROUPS.items() if any(word in name for word in words)), "small kernels")


def figures(trace: Path, layers: int) -> dict[str, Any]:
    """Raises ValueError where the trace has no whole step."""
    with gzip.open(trace, "rt") as file:
        events = json.load(file)["traceEvents"]
    return of(
        [one for one in events if str(one.get("cat", "")).startswith("gpu_") or one.get("cat") == "kernel"], layers
    )


def of(events: Sequence[Any], layers: int) -> dict[str, Any]:
    events = [one for one in events if one.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")]
    steps = sum(_ONCE_A_LAYER in one["name"] for one in events) / layers
    if steps < 1:
        raise ValueError(f"no whole step among {len(events)} kernels")
    spans = sorted((float(one["ts"]), float(one["ts"]) + float(one["dur"])) for one in events)
    return {
        "steps": round(steps, 1),
        "span_us": round((max(end for _, end in spans) - spans[0][0]) / steps, 1),
        "busy_us": round(busy(spans) / steps, 1),
        "kernels": round(len(events) / steps, 1),
        "groups_us": _sums(((group(one["name"]), one["dur"]) for one in events), steps),
        "top_us": dict(list(_sums(((one["name"][:80], one["dur"]) for one in events), steps).items())[:30]),
    }


def busy(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of them runs; they come in order of their start."""
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _sums(pairs: Iterable[tuple[str, float]], steps: float) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for name, microseconds in pairs:
        found[name] += float(microseconds) / steps
    return {name: round(value, 1) for name, value in sorted(found.items(), key=lambda one: -one[1])}
