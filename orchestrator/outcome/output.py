"""What a command prints at its end: its one result on stdout, and every failure once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from cluster.errors import ClusterError, InventoryError, UsageError
from orchestrator.local.settings import Output
from orchestrator.outcome.result import ResultLost, put
from orchestrator.render import failure
from orchestrator.render.failure_report import report
from orchestrator.render.json_text import to_json
from orchestrator.render.text import marks_for, write
from orchestrator.run.interrupts import Interrupted


def print_result(output: Output, text: Callable[[], str], document: Callable[[], Mapping[str, object]]) -> None:
    """Prints the result as text or as JSON. Raises ResultLost."""
    put((to_json(document(), indent=2) if output == "json" else text()) + "\n")


def print_error(error: ClusterError) -> None:
    write(sys.stderr, failure.lines(error, marks=marks_for(sys.stderr)) + "\n")


def print_failure(error: ClusterError, output: str | None) -> None:
    """Prints a failure once. Among JSON lines an event has reported it, but for early ones and Ctrl-C."""
    if output != "json" or isinstance(error, InventoryError | UsageError | Interrupted):
        for each in _with_its_cause(error):
            print_error(each)
    if output == "json":
        _put_report(error)


def _put_report(error: ClusterError) -> None:
    try:
        put(to_json(report(error), indent=2) + "\n")
    except ResultLost as lost:
        print_error(lost)


def _with_its_cause(error: ClusterError) -> list[ClusterError]:
    """A failure whose rollback the operator interrupted is still printed, and first."""
    first = error.__cause__ if isinstance(error, Interrupted) else None
    return [first, error] if isinstance(first, ClusterError) and not isinstance(first, Interrupted) else [error]
