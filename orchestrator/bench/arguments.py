"""What was asked for on the command line, in plain values: `--help` must not wait for pydantic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.bench.workload import Workload


@dataclass(frozen=True)
class BenchArguments:
    """`seed` None: any; `results` None: a new folder. `layouts` are tensor times pipeline parallelism."""

    workloads: tuple[Workload, ...]
    num_prompts: tuple[int, ...]
    rate: float
    repeat: int
    cold: str
    origin: str
    seed: int | None
    results: Path | None
    layouts: tuple[tuple[int, int], ...] = ()
