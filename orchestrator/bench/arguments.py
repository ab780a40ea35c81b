"""What a benchmark measures, as the operator asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.bench.workload import Cold, Origin, Workload


@dataclass(frozen=True)
class BenchArguments:
    """`seed` None: any; `results` None: a new folder."""

    workloads: tuple[Workload, ...]
    num_prompts: tuple[int, ...]
    rate: float
    repeat: int
    cold: Cold
    origin: Origin
    seed: int | None
    results: Path | None
