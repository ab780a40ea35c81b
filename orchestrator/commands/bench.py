"""`bench`: the published benchmark against the running endpoint, each run with a cold cache, and proved so."""

from __future__ import annotations

import secrets
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from cluster.bench.workload import Cell, matrix
from cluster.errors import ClusterError
from orchestrator import plans
from orchestrator.bench.arguments import BenchArguments
from orchestrator.bench.results import BenchSettings, Results, open_results
from orchestrator.outcome.exit_codes import COMMAND
from orchestrator.outcome.output import print_result
from orchestrator.plans import BenchOptions
from orchestrator.render import bench as shown
from orchestrator.render.text import count, marks_for
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import session


def run(invocation: Invocation, arguments: BenchArguments) -> int:
    cells = requested_cells(arguments)
    with session(invocation) as opened:
        results = results_for(arguments, arguments.results or new_results_folder(opened.inventory.cluster))
        try:
            opened.run(plans.bench(BenchOptions(cells, results, opened.runs)))
        except ClusterError as error:
            note_resume(error, results)
            raise
    runs = results.runs()
    marks = marks_for(sys.stdout)
    print_result(
        invocation.output,
        lambda: shown.text(runs, results.folder, marks),
        lambda: shown.document(runs, results.folder),
    )
    return 0 if all(map(results.valid, cells)) else COMMAND


def requested_cells(arguments: BenchArguments) -> tuple[Cell, ...]:
    return tuple(matrix(arguments.workloads, arguments.num_prompts, arguments.repeat))


def new_results_folder(cluster: str) -> Path:
    return Path(f"bench-{cluster}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S')}")


def results_for(arguments: BenchArguments, folder: Path) -> Results:
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(2**31)
    bench_settings = BenchSettings(rate=arguments.rate, cold=arguments.cold, origin=arguments.origin, seed=seed)
    return open_results(folder, bench_settings, seeded=arguments.seed is not None)


def note_resume(error: ClusterError, results: Results) -> None:
    """Notes on the error how to resume: what was measured is kept, and is not measured again."""
    runs = len(results.runs())
    if runs:
        where = shlex.quote(str(results.folder))
        error.add_note(f"kept so far: {count(runs, 'run')}; `--results {where}` resumes this benchmark")
    else:
        results.abandon()
