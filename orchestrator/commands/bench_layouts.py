"""`bench layouts`: the same work on several layouts, each brought up and taken down again, and one page of all."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from typing_extensions import TypedDict

from cluster.bench.workload import Cell
from cluster.errors import ClusterError, LeaseHeld, UsageError
from cluster.inventory import Inventory, with_layout
from cluster.plan import plan
from orchestrator.bench.arguments import BenchArguments
from orchestrator.bench.not_kept import NotKept
from orchestrator.bench.results import Results, open_results
from orchestrator.commands.bench import new_results_folder, note_resume, requested_cells, results_for
from orchestrator.events import HostMessage
from orchestrator.outcome.exit_codes import COMMAND, exit_code
from orchestrator.outcome.output import print_error, print_result
from orchestrator.plans import BenchOptions, bench_layout, down
from orchestrator.render import bench as shown
from orchestrator.render.bench import BenchDocument
from orchestrator.render.text import marks_for
from orchestrator.report.page import write_page
from orchestrator.report.series import load
from orchestrator.run.interrupts import Interrupted
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import Session, session


@dataclass
class Layout:
    """One layout, and why it could not be measured to the end."""

    name: str
    inventory: Inventory
    results: Results
    error: ClusterError | None = None


def run(invocation: Invocation, arguments: BenchArguments, sizes: Sequence[tuple[int, int]]) -> int:
    """Raises an error that stops all of them, as a layout does that the model cannot have.

    After a layout that fails, the others are measured.
    """
    cells = requested_cells(arguments)
    with session(invocation) as opened:
        inventories = {
            f"{tensor}x{pipeline}": with_layout(opened.inventory, tensor, pipeline) for tensor, pipeline in sizes
        }
        _refuse(inventories)
        top = results_for(arguments, arguments.results or new_results_folder(opened.inventory.cluster))
        # All have one seed: their runs are then pairs.
        layouts = [
            Layout(name, inventory, open_results(top.folder / name, top.settings, seeded=True))
            for name, inventory in inventories.items()
        ]
        try:
            for layout in layouts:
                _measure(opened, layout, cells)
        except ClusterError as error:
            _abandon(layouts)
            note_resume(error, top)
            raise
    _abandon(layouts)
    top.abandon()
    return _report(invocation, top.folder, layouts, cells)


def _refuse(inventories: Mapping[str, Inventory]) -> None:
    """Raises UsageError for what `plan` knows to be impossible: vLLM says it after minutes, of one rank alone."""
    for name, inventory in inventories.items():
        for finding in plan(inventory).findings:
            if finding.name == "layout":
                raise UsageError(f"{name}: {finding.found}", cause=finding.why, cure=finding.cure)


def _measure(opened: Session, layout: Layout, cells: Sequence[Cell]) -> None:
    """Brings it up, measures it, and takes it down in any case. Raises what the next layout would meet as well."""
    if all(map(layout.results.valid, cells)):
        opened.sink(HostMessage("", f"{layout.name} is already measured"))
        return
    opened.sink(HostMessage("", f"layout {layout.name}"))
    layout_session, ours = replace(opened, inventory=layout.inventory), list[bool]()
    options = BenchOptions(cells, layout.results, layout_session.runs)
    remember = (
        layout_session.local_state.remember(opened.invocation.path) if opened.invocation.path else lambda: None
    )
    try:
        layout_session.run(bench_layout(options, remember, lambda: ours.append(True)))
    except (UsageError, LeaseHeld, NotKept, Interrupted):
        raise
    except ClusterError as error:
        layout.error = error
    if ours:
        layout_session.run(down())
        if opened.invocation.path:
            layout_session.local_state.forget()


def _abandon(layouts: Sequence[Layout]) -> None:
    for layout in layouts:
        layout.results.abandon()


def _report(invocation: Invocation, folder: Path, layouts: Sequence[Layout], cells: Sequence[Cell]) -> int:
    for layout in layouts:
        if layout.error:
            print_error(layout.error)
    marks = marks_for(sys.stdout)
    measured = [layout for layout in layouts if layout.results.runs()]
    text = [
        f"{layout.name}\n{shown.text(layout.results.runs(), layout.results.folder, marks)}\n"
        for layout in measured
    ]
    where = _page(folder) if measured else ""
    print_result(invocation.output, lambda: "\n".join([*text, where]), lambda: _document(measured, where))
    failed = next((layout.error for layout in layouts if layout.error), None)
    if failed:
        return exit_code(failed)
    return 0 if all(layout.results.valid(cell) for layout in layouts for cell in cells) else COMMAND


class LayoutsDocument(TypedDict):
    """What was measured on each layout, by its name; `page` is the path of the page, empty where there is none."""

    layouts: Mapping[str, BenchDocument]
    page: str


def _document(measured: Sequence[Layout], page: str) -> LayoutsDocument:
    return {
        "layouts": {
            layout.name: shown.document(layout.results.runs(), layout.results.folder) for layout in measured
        },
        "page": page,
    }


def _page(folder: Path) -> str:
    """Returns its path; empty, and said why, where it cannot be made: the results are kept all the same."""
    path = folder / "report.html"
    try:
        write_page(path, load([folder]))
    except UsageError as error:
        print_error(error)
        return ""
    return str(path)
