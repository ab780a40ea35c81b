"""`bench`: the published benchmark against the running endpoint, each run with a cold cache, and proved so."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from cluster.bench.record import Cold
from cluster.bench.workload import Cell, matrix
from cluster.errors import ClusterError
from orchestrator.bench.arguments import BenchArguments
from orchestrator.bench.results import Results, opened
from orchestrator.bench.settings import BenchSettings, Origin
from orchestrator.cli.exit_codes import COMMAND
from orchestrator.cli.output import say
from orchestrator.local.settings import Settings
from orchestrator.phases.acquire_lease import AcquireLease
from orchestrator.phases.bench_target import CheckBenchTarget
from orchestrator.phases.measure import Measure
from orchestrator.phases.restart import Restart
from orchestrator.phases.smoke_test import SmokeTest
from orchestrator.phases.wait_ready import WaitReady
from orchestrator.render import bench as shown
from orchestrator.render.text import count, marks_for
from orchestrator.run.phase import Phase
from orchestrator.session.session import Request, session


def run(request: Request, settings: Settings) -> int:
    wanted = request.bench
    assert wanted is not None
    cells = cells_of(wanted)
    with session(request, settings) as one:
        results = opened_for(wanted, wanted.results or new_folder(one.inventory.cluster))
        try:
            one.run([AcquireLease(), *phases(cells, results, settings.state / one.inventory.cluster)])
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


def phases(cells: Sequence[Cell], results: Results, scratch: Path) -> Iterator[Phase]:
    """All but the lease. `scratch` is a private folder of this machine."""
    yield CheckBenchTarget([cell.workload for cell in cells], results)
    yield SmokeTest()
    for cell in cells:
        if results.how.cold == "restart" and not results.valid(cell):
            yield from (Restart(), WaitReady(), SmokeTest())
        yield Measure(cell, cells, results, scratch)


def go_on(error: ClusterError, results: Results) -> None:
    """What was measured is kept, and is not measured again."""
    kept = len(results.runs())
    if kept:
        where = shlex.quote(str(results.folder))
        error.add_note(f"kept so far: {count(kept, 'run')}; `--results {where}` goes on where this ended")
    else:
        results.abandon()
