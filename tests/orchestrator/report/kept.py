"""Folders of results, as `bench` leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.bench.counters import Sample
from cluster.bench.figures import parse_result
from cluster.bench.record import Conditions, Run
from cluster.bench.verdict import Verdict
from cluster.bench.workload import GUIDE, Workload
from orchestrator.bench.results import BenchSettings, open_results
from tests.cluster.bench.results import conditions, counts, result, run


def one_run(workload: Workload, prompts: int, faster: float = 1.0, **overrides: Any) -> tuple[Run, str]:
    """The first request waits 100 ms, each after it 10 ms longer; 10 ms a token."""
    waits = [0.1 + 0.01 * number for number in range(prompts)]
    text = result(
        prompts,
        duration=10.0 * prompts**0.5 / faster,
        ttfts=waits,
        itls=[[0.01 / faster] * 99] * prompts,
        output_lens=[100] * prompts,
        output_throughput=123.456 * prompts**0.5 * faster,
        median_ttft_ms=1000 * waits[prompts // 2],
        mean_tpot_ms=10 / faster,
        median_tpot_ms=10 / faster,
    )
    samples = tuple(
        Sample(at=float(at), running=prompts, kv_usage=at / 10, generated_tokens=100 * at * prompts)
        for at in range(1, 5)
    )
    values: dict[str, Any] = {
        "workload": workload.lengths,
        "num_prompts": prompts,
        "figures": parse_result(text).figures,
    }
    return run(**{**values, "samples": samples, **overrides}), text


def keep(
    folder: Path, sizes: Sequence[int] = (1, 16), faster: float = 1.0, known: Conditions | None = None
) -> Path:
    """The guide's three workloads in each size; of the first and smallest a run that does not count as well."""
    results = open_results(folder, BenchSettings(rate=10, cold="salt", origin="head", seed=7), seeded=True)
    for workload in GUIDE:
        for size in sizes:
            one, text = one_run(workload, size, faster, conditions=known or conditions())
            results.keep(one, {"vllm.json": text})
    warm = Verdict(outcome="invalid", reasons=("not cold: </script> & 16,000 of 16,000 tokens",))
    one, text = one_run(GUIDE[0], sizes[0], repeat=2, verdict=warm, counts=counts(hits=16_000))
    results.keep(one, {"vllm.json": text})
    return folder
