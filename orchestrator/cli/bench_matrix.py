"""The options of a benchmark, on one layout or on several."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import click

from cluster.bench.workload import COLD, GUIDE, NUM_PROMPTS, ORIGINS, RATE, Cold, Origin, Workload, workload
from orchestrator.bench.arguments import BenchArguments
from orchestrator.cli.argument_types import Parsed, numbers, positive, rate, seed

_NAMES = [known.name for known in GUIDE]
MATRIX = (
    click.Option(
        ["--workload"],
        type=Parsed("NAME|IN/OUT", workload, known=_NAMES),
        multiple=True,
        help=f"{', '.join(_NAMES)}, or tokens in and out (default: these three). Give it once for each workload.",
    ),
    click.Option(
        ["--num-prompts"],
        type=Parsed("N[,N...]", numbers),
        multiple=True,
        help=f"The requests of a run (default: {','.join(map(str, NUM_PROMPTS))}).",
    ),
    click.Option(
        ["--rate"], type=Parsed("R", rate), default=RATE, help=f"Requests sent a second (default: {RATE:g})."
    ),
    click.Option(["--repeat"], type=Parsed("N", positive), default=1, help="Runs of each (default: 1)."),
    click.Option(
        ["--from", "origin"],
        type=click.Choice(ORIGINS, case_sensitive=False),
        default="head",
        help="Run the client on the head (default), or on this machine.",
    ),
    click.Option(
        ["--cold"],
        type=click.Choice(COLD),
        default="salt",
        help="How each run gets a cold prefix cache. salt: a seed and a salt of its own (default). "
        "seed: a seed alone. reset: the server resets it. restart: vLLM is launched again.",
    ),
    click.Option(["--seed"], type=Parsed("N", seed), help="The seed of the runs' own seeds (default: any)."),
    click.Option(
        ["--results"],
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="The results directory; an existing one is resumed.",
    ),
)


def bench_arguments(
    workload: Iterable[Workload],
    num_prompts: Iterable[tuple[int, ...]],
    rate: float,
    repeat: int,
    origin: Origin,
    cold: Cold,
    seed: int | None,
    results: Path | None,
) -> BenchArguments:
    return BenchArguments(
        workloads=tuple(dict.fromkeys(workload)) or GUIDE,
        num_prompts=tuple(dict.fromkeys(chain.from_iterable(num_prompts))) or NUM_PROMPTS,
        rate=rate,
        repeat=repeat,
        cold=cold,
        origin=origin,
        seed=seed,
        results=results,
    )
