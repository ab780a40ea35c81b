"""What was measured and how, as terms and words for the page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from cluster.bench.record import Conditions, GpuAt, HostAt, Run
from orchestrator.render.text import count
from orchestrator.report.series import Series

_COLD = {
    "salt": "a new seed and a salt of its own for each run: nothing that was cached before can be used",
    "seed": "a new seed for each run",
    "reset": "the server's prefix cache was reset before each run",
    "restart": "vLLM was restarted before each run, as the guide does",
}


@dataclass(frozen=True)
class SeriesConditions:
    """One series."""

    name: str
    facts: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, str], ...]


def series_conditions(series: Series) -> SeriesConditions:
    last = series.runs[-1].run
    return SeriesConditions(
        series.name,
        tuple((term, words) for term, words in _facts(series.conditions, last) if words),
        (
            ("The server", shlex.join(series.conditions.engine)),
            ("The client, of the last run", shlex.join(last.command)),
        ),
    )


def _facts(conditions: Conditions, run: Run) -> Iterator[tuple[str, str]]:
    yield "Model", conditions.model + (" (random numbers in place of weights)" if conditions.dummy_weights else "")
    cpus = ", played by CPUs" if conditions.on_cpus else ""
    yield "Layout", f"{conditions.layout} on {count(len(conditions.gpus), 'GPU')}{cpus}"
    for host in conditions.hosts:
        yield f"Host {host.name}", _host(host)
    yield "Between hosts", conditions.transport
    yield "KV cache", f"{conditions.kv_cache_tokens:,} tokens" if conditions.kv_cache_tokens else ""
    yield "Client", f"on {run.origin}, {run.rate:g} requests a second (Poisson)"
    yield "Cold cache", _COLD[run.cold]


def _host(host: HostAt) -> str:
    kinds = dict.fromkeys(map(_gpu, host.gpus))
    gpus = "; ".join(f"{sum(_gpu(gpu) == kind for gpu in host.gpus)} × {kind}" for kind in kinds)
    versions = ", ".join(f"{name} {version}" for name, version in host.versions.items())
    driver = f"driver {host.driver}" if host.driver else "no driver"
    return f"{gpus}; {driver}; Python {host.python}; {versions}"


def _gpu(gpu: GpuAt) -> str:
    memory = f" {gpu.memory_mib:,} MiB" if gpu.memory_mib else ""
    clock = f" at {gpu.sm_clock:,} of {gpu.max_sm_clock:,} MHz" if gpu.sm_clock and gpu.max_sm_clock else ""
    return f"{gpu.name}{memory}{clock}"
