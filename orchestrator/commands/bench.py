"""`bench`: the published benchmark against the running endpoint, each run with a cold cache, and proved so."""

from __future__ import annotations

import secrets
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from cluster.bench.record import Cold
from cluster.bench.workload import Cell, matrix
from cluster.errors import ClusterError
from orchestrator import plans
from orchestrator.bench.arguments import BenchArguments
from orchestrator.bench.results import Results, opened
from orchestrator.bench.settings import BenchSettings, Origin
from orchestrator.cli.exit_codes import COMMAND
from orchestrator.cli.output import say
from orchestrator.local.settings import Settings
from orchestrator.plans import BenchOptions
from orchestrator.render import bench as shown
from orchestrator.render.text import count, marks_for
from orchestrator.session.session import Request, session


def run(request: Request, settings: Settings) -> int:
    wanted = request.bench
    assert wanted is not None
    cells = cells_of(wanted)
    with session(request, settings) as one:
        results = opened_for(wanted, wanted.results or new_folder(one.inventory.cluster))
        try:
            one.run(plans.bench(BenchOptions(cells, results, one.runs)))
        except ClusterError as error:
            go_on(error, results)
            raise
    runs = results.runs()
    marks = marks_for(sys.stdout)
    say(request, lambda: shown.text(runs, results.folder, marks), lambda: shown.document(runs, results.folder))
    return 0 if all(map(results.valid, cells)) else COMMAND


def cells_of(wanted: BenchArguments) -> tuple[Cell, ...]:
    return tuple(matrix(wanted.workloads, wanted.num_prompts, wanted.repeat))


def new_folder(cluster: str) -> Path:
    return Path(f"bench-{cluster}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S')}")


def opened_for(wanted: BenchArguments, folder: Path) -> Results:
    seed = wanted.seed if wanted.seed is not None else secrets.randbelow(2**31)
    how = BenchSettings(
        rate=wanted.rate, cold=cast(Cold, wanted.cold), origin=cast(Origin, wanted.origin), seed=seed
    )
    return opened(folder, how, seeded=wanted.seed is not None)


def go_on(error: ClusterError, results: Results) -> None:
    """What was measured is kept, and is not measured again."""
    kept = len(results.runs())
    if kept:
        where = shlex.quote(str(results.folder))
        error.add_note(f"kept so far: {count(kept, 'run')}; `--results {where}` goes on where this ended")
    else:
        results.abandon()
