"""`bench layouts`: the same work on several layouts, each brought up and taken down again, and one page of all."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.bench.workload import Cell
from cluster.errors import ClusterError, LeaseHeld, UsageError
from cluster.inventory import Inventory, with_layout
from cluster.plan import plan
from orchestrator.bench.results import NotKept, Results, open_results
from orchestrator.cli.exit_codes import COMMAND, exit_code
from orchestrator.cli.output import explain, say
from orchestrator.commands.bench import new_results_folder, note_resume, requested_cells, results_for
from orchestrator.events import HostMessage
from orchestrator.local.settings import Settings
from orchestrator.plans import BenchOptions, bench_layout, down
from orchestrator.render import bench as shown
from orchestrator.render.text import marks_for
from orchestrator.report.page import page
from orchestrator.report.series import load
from orchestrator.report.write import keep, made_now
from orchestrator.run.interrupts import Interrupted
from orchestrator.session.session import Request, Session, session


@dataclass
class Layout:
    """One of them, and why it could not be measured to the end."""

    name: str
    inventory: Inventory
    results: Results
    error: ClusterError | None = None


def run(request: Request, settings: Settings) -> int:
    """Raises what forbids all of them, as does one that the model cannot have; a layout that fails leaves the
    others to be measured."""
    wanted = request.bench
    assert wanted is not None
    cells = requested_cells(wanted)
    with session(request, settings) as one:
        inventories = {
            f"{tensor_parallel_size}x{pipeline_parallel_size}": with_layout(
                one.inventory, tensor_parallel_size, pipeline_parallel_size
            )
            for tensor_parallel_size, pipeline_parallel_size in wanted.layouts
        }
        _refuse(inventories)
        top = results_for(wanted, wanted.results or new_results_folder(one.inventory.cluster))
        layouts = [_layout(name, inventory, top) for name, inventory in inventories.items()]
        try:
            for layout in layouts:
                _measure(one, layout, cells)
        except ClusterError as error:
            _abandon(layouts)
            note_resume(error, top)
            raise
    _abandon(layouts)
    top.abandon()
    return _tell(request, top.folder, layouts, cells)


def _refuse(inventories: Mapping[str, Inventory]) -> None:
    """What `plan` knows to be impossible: vLLM would say it after minutes, and of one rank alone."""
    for name, inventory in inventories.items():
        for found in plan(inventory).findings:
            if found.name == "layout":
                raise UsageError(f"{name}: {found.found}", cause=found.why, cure=found.cure)


def _layout(name: str, inventory: Inventory, top: Results) -> Layout:
    """With the seed of all: their runs are then pairs."""
    return Layout(name, inventory, open_results(top.folder / name, top.settings, seeded=True))


def _measure(one: Session, layout: Layout, cells: Sequence[Cell]) -> None:
    """Up, measured, and down whatever became of it. Raises what the next layout would meet as well."""
    if all(map(layout.results.valid, cells)):
        one.sink(HostMessage("", f"{layout.name} is measured already"))
        return
    one.sink(HostMessage("", f"layout {layout.name}"))
    there, ours = replace(one, inventory=layout.inventory), list[bool]()
    options = BenchOptions(cells, layout.results, there.runs)
    remember = there.memory.remember(one.request.path) if one.request.path else lambda: None
    try:
        there.run(bench_layout(options, remember, lambda: ours.append(True)))
    except (UsageError, LeaseHeld, NotKept, Interrupted):
        raise
    except ClusterError as error:
        layout.error = error
    if ours:
        there.run(down())
        if one.request.path:
            there.memory.forget()


def _abandon(layouts: Sequence[Layout]) -> None:
    for layout in layouts:
        layout.results.abandon()


def _tell(request: Request, folder: Path, layouts: Sequence[Layout], cells: Sequence[Cell]) -> int:
    for layout in layouts:
        if layout.error:
            explain(layout.error)
    marks = marks_for(sys.stdout)
    measured = [layout for layout in layouts if layout.results.runs()]
    text = [f"{one.name}\n{shown.text(one.results.runs(), one.results.folder, marks)}\n" for one in measured]
    documents = {one.name: shown.document(one.results.runs(), one.results.folder) for one in measured}
    where = _page(folder) if measured else ""
    say(request, lambda: "\n".join([*text, where]), lambda: {"layouts": documents, "page": where})
    failed = next((layout.error for layout in layouts if layout.error), None)
    if failed:
        return exit_code(failed)
    return 0 if all(layout.results.valid(cell) for layout in layouts for cell in cells) else COMMAND


def _page(folder: Path) -> str:
    """Its path; empty, and said why, where it cannot be made: the results are kept all the same."""
    path = folder / "report.html"
    try:
        keep(path, page(load([folder]), made_now()))
    except UsageError as error:
        explain(error)
        return ""
    return str(path)
