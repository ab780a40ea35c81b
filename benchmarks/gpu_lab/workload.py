"""The published guide's workload, and what vLLM's own client measured of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: On the host; one of these folders is gone with the host.
_RESULTS = "/tmp/results"

FIGURES = (
    "completed", "failed", "duration", "total_input_tokens", "total_output_tokens", "request_throughput",
    "output_throughput", "total_token_throughput", "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms", "mean_tpot_ms",
    "p99_tpot_ms", "mean_itl_ms", "p99_itl_ms",
)  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """Random tokens: prompts and answers of one length, asked for at a rate (a second)."""

    prompts: int = 16
    input_tokens: int = 8000
    output_tokens: int = 1000
    rate: int = 10


GUIDE = Workload()
#: For a try of the steps themselves, where nothing is measured.
TINY = Workload(prompts=2, input_tokens=16, output_tokens=4)


def client(work: Workload, url: str, model: str, served_name: str, seed: int, name: str) -> list[str]:
    """Run on a host, the venv first on PATH. Another seed is other prompts, of which no prefix is cached."""
    return [
        "python", "-m", "vllm.entrypoints.cli.main", "bench", "serve",
        "--base-url", url, "--model", model, "--served-model-name", served_name, "--trust-remote-code",
        "--dataset-name", "random", "--seed", str(seed), "--ignore-eos",
        "--random-input-len", str(work.input_tokens), "--random-output-len", str(work.output_tokens),
        "--num-prompts", str(work.prompts), "--request-rate", str(work.rate),
        "--save-result", "--result-dir", _RESULTS, "--result-filename", f"{name}.json",
    ]  # fmt: skip


def result_file(name: str) -> str:
    return f"{_RESULTS}/{name}.json"


def figures(said: str) -> dict[str, Any]:
    """The figures that count, out of the result file's text; empty where that is none."""
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return {name: found[name] for name in FIGURES if name in found} if isinstance(found, dict) else {}


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """For people, a line each."""
    heads = ("output_throughput", "mean_ttft_ms", "mean_tpot_ms", "duration")
    lines = ["| what | output tok/s | mean TTFT ms | mean TPOT ms | s |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {' | '.join(_rounded(row.get(head)) for head in heads)} |" for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


def _rounded(value: object) -> str:
    if not isinstance(value, int | float):
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def sums(
    said: str, names: Sequence[str] = ("prefix_cache_queries_total", "prefix_cache_hits_total")
) -> dict[str, float]:
    """Counters of /metrics, over all engines."""
    found = dict.fromkeys(names, 0.0)
    for line in said.splitlines():
        name = line.partition("{")[0].removeprefix("vllm:")
        if name in found:
            found[name] += float(line.rpartition(" ")[2])
    return found
