"""`python -m benchmarks.gpu_lab.even.table DEFAULT EXAMPLES DUMMY`: the tables of docs/benchmarks.md, out of what
`run` left."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu_lab import models
from benchmarks.gpu_lab.even import limits, routes
from benchmarks.gpu_lab.even.predictions import EXPECTED

Document = dict[str, Any]
_GROUPS = ("experts", "matrix products", "attention", "routing", "small kernels")


@dataclass(frozen=True)
class Measured:
    """One cell of one variant. `limit`: ms that the memory needs for what a mean step reads."""

    speed: float
    first: float
    each: float
    step: float
    limit: float


@dataclass(frozen=True)
class Results:
    """`dummy` is as `examples`, with vLLM's own dummy weights."""

    default: Document
    examples: Document
    dummy: Document

    @property
    def bandwidth(self) -> float:
        """GB/s, the best of all that was measured."""
        return float(
            max(max(one["bandwidth"]["GB/s"].values()) for one in (self.default, self.examples, self.dummy))
        )

    def measured(self, document: Document, name: str) -> Measured | None:
        cell = document["cells"].get(name, {})
        if not cell.get("completed"):
            return None
        config = models.config(models.MODELS["vl28b"])
        shape, prompt, answer = limits.of(config), *map(int, name.split()[0].split("/"))
        hit = routes.by_chance(64, 6, cell["decoding"])
        read = shape.step(hit, cell["decoding"] * (prompt + answer / 2))
        speeds = cell["output_throughput"], cell["mean_ttft_ms"], cell["mean_tpot_ms"], cell["step_ms"]
        return Measured(*speeds, read / self.bandwidth / 1e6)


def cells(results: Results) -> Iterator[str]:
    for name in EXPECTED:
        both = results.measured(results.default, name), results.measured(results.examples, name)
        if both[0] and both[1]:
            yield _cell(name, both[0], both[1])


def _cell(name: str, default: Measured, examples: Measured) -> str:
    (speeds, steps), both = EXPECTED[name], (default, examples)
    words = [*name.split(), f"{speeds[0]:,}", f"{default.speed:,.2f}", f"{speeds[1]:,}", f"{examples.speed:,.2f}"]
    words += [f"{speeds[1] / speeds[0]:.2f}", f"**{examples.speed / default.speed:.2f}**"]
    words += [", ".join(f"{one.first:,.0f}" for one in both), ", ".join(f"{one.each:.1f}" for one in both)]
    words += [", ".join(f"{one:.1f}" for one in steps), ", ".join(f"{one.step:.1f}" for one in both)]
    words += [f"{examples.limit:.1f}", ", ".join(f"{one.limit / one.step:.2f}" for one in both)]
    return _row([*words, ", ".join(f"{one.limit / one.each:.2f}" for one in both)])


def flattered(results: Results) -> Iterator[str]:
    for name in EXPECTED:
        even, dummy = results.measured(results.examples, name), results.measured(results.dummy, name)
        if even and dummy:
            speeds = f"{dummy.speed:,.2f}", f"{even.speed:,.2f}", f"{dummy.speed / even.speed:.2f}"
            yield _row([*name.split(), *speeds, f"{dummy.step:.1f}, {even.step:.1f}"])


def steps(results: Results) -> Iterator[str]:
    """Microseconds of a step, by what takes them."""
    documents = results.default, results.examples, results.dummy
    profiles = [one["profile"][size] for size in ("16", "64") for one in documents]
    for group in _GROUPS:
        yield _row([group, *(f"{one['groups_us'][group]:,.0f}" for one in profiles)])
    yield _row(["nothing runs", *(f"{one['span_us'] - one['busy_us']:,.0f}" for one in profiles)])
    yield _row(["all of it", *(f"{one['span_us']:,.0f}" for one in profiles)])
    yield _row(["kernels", *(f"{one['kernels']:,.0f}" for one in profiles)])


def _row(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


def read(paths: Sequence[Path]) -> Results:
    default, examples, dummy = (json.loads(path.read_text()) for path in paths)
    return Results(default, examples, dummy)


def main(argv: list[str]) -> int:
    results = read([Path(one) for one in argv])
    print("\n".join([*cells(results), "", *flattered(results), "", *steps(results)]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
