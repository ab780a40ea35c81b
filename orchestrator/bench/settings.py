"""What a benchmark was asked to measure, and how."""

from __future__ import annotations

from typing import Literal

from cluster.bench.counters import Frozen
from cluster.bench.record import Cold

Origin = Literal["head", "here"]


class BenchSettings(Frozen):
    """The same for every run of a folder of results: `rate` in requests a second, `origin` where the client runs,
    `seed` what those of the runs are made of."""

    rate: float
    cold: Cold
    origin: Origin
    seed: int
