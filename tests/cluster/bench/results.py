"""Results of `vllm bench serve`, as it writes them, and runs made of them."""

from __future__ import annotations

import json
from typing import Any

from cluster.bench.counters import Counters, Counts
from cluster.bench.figures import Figures, parse_result
from cluster.bench.record import Conditions, GpuAt, HostAt, Run
from cluster.bench.verdict import Verdict


def result(prompts: int = 2, failed: int = 0, **overrides: Any) -> str:
    """The result of these prompts of 8000/1000, the last ones without an answer."""
    good = prompts - failed
    values: dict[str, Any] = {
        "num_prompts": prompts,
        "duration": 10.0,
        "completed": good,
        "failed": failed,
        "total_input_tokens": 8000 * good,
        "total_output_tokens": 1000 * good,
        "request_throughput": good / 10,
        "output_throughput": 100.0 * good,
        "total_token_throughput": 900.0 * good,
        "input_lens": [8000] * prompts,
        "output_lens": [1000] * good + [0] * failed,
        "ttfts": [0.5] * good + [0.0] * failed,
        "itls": [[0.01] * 999] * good + [[]] * failed,
        "errors": [""] * good + ["Traceback\nConnectionError: refused"] * failed,
        "max_concurrent_requests": prompts,
    }
    for name, ms in (("ttft", 500.0), ("tpot", 10.0), ("itl", 10.0), ("e2el", 10490.0)):
        values |= {f"mean_{name}_ms": ms, f"median_{name}_ms": ms, f"p99_{name}_ms": 2 * ms}
    return json.dumps({**values, **overrides})


def figures(**overrides: Any) -> Figures:
    return parse_result(result()).figures.model_copy(update=overrides)


def counters(**overrides: Any) -> Counters:
    values: dict[str, Any] = {"queries": 16_000, "hits": 0, "prompt_tokens": 16_000, "generated_tokens": 2000}
    return Counters(**{**values, "finished": 2, "kv_usage": 0.1, **overrides})


def counts(**overrides: Any) -> Counts:
    values: dict[str, Any] = {"queries": 16_000, "hits": 0, "prompt_tokens": 16_000, "generated_tokens": 2000}
    return Counts(**{**values, "finished": 2, "preemptions": 0, **overrides})


def conditions(**overrides: Any) -> Conditions:
    gpus = tuple(GpuAt(name="NVIDIA H100 80GB HBM3", memory_mib=81559) for _ in range(8))
    versions = {"ray": "2.60.0", "vllm": "0.32.0"}
    host = HostAt(name="gpu-a", gpus=gpus, driver="580.95.05", python="3.12.3", versions=versions)
    values: dict[str, Any] = {
        "cluster": "demo",
        "model": "baidu/ERNIE-4.5-VL-424B-A47B-PT",
        "tensor_parallel_size": 8,
        "pipeline_parallel_size": 1,
        "hosts": (host,),
        "engine": ("/opt/vllm/bin/vllm", "serve", "--trust-remote-code"),
    }
    return Conditions(**{**values, **overrides})


def run(**overrides: Any) -> Run:
    """A valid one, of two prompts of 8000/1000."""
    values: dict[str, Any] = {
        "workload": "8000/1000",
        "num_prompts": 2,
        "repeat": 1,
        "attempt": 1,
        "rate": 10.0,
        "seed": 7,
        "cold": "salt",
        "origin": "gpu-a",
        "began": "2026-11-26T17:00:00+00:00",
        "seconds": 30.0,
        "command": ("vllm", "bench", "serve"),
        "verdict": Verdict(outcome="valid"),
        "conditions": conditions(),
        "counts": counts(),
        "figures": figures(),
    }
    return Run(**{**values, **overrides})
