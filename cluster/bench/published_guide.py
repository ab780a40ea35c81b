"""The one result in the published guide for ERNIE-4.5-VL, for comparison."""

from __future__ import annotations

from cluster.bench.figures import Figures, Latency
from cluster.bench.workload import GUIDE

#: The guide's recipe for vLLM, `Ernie/Ernie4.5-VL.md`.
MODEL = "baidu/ERNIE-4.5-VL-28B-A3B-PT"
HARDWARE = "one GPU of 80 GB"
WORKLOAD = GUIDE[0]
NUM_PROMPTS = 16

PRINTED = Figures(
    seconds=61.27,
    completed=16,
    failed=0,
    input_tokens=128_000,
    output_tokens=16_000,
    requests_per_second=0.26,
    output_per_second=261.13,
    total_per_second=2350.19,
    ttft=Latency(mean=15663.63, median=21148.69, p99=22147.85),
    tpot=Latency(mean=38.74, median=38.90, p99=39.92),
    itl=Latency(mean=43.27, median=36.35, p99=236.49),
)
