"""A signal at either end of the program: its exit code is that of an interrupt, and nobody sees a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.timing import LIMIT

#: The program with a signal to itself in one of its functions.
_PROGRAM = """
import signal, sys
from unittest import mock
from orchestrator import __main__ as program

where, number = sys.argv.pop(1), int(sys.argv.pop(1))

def arrives(*_):
    signal.raise_signal(number)

with mock.patch(where, arrives):
    program.run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "where",
    ["orchestrator.cli.streams.open_all", "orchestrator.cli.cli._main", "orchestrator.cli.streams.settle_all"],
)
def test_it_ends_as_interrupted(number: signal.Signals, where: str) -> None:
    """The last is the echo of a signal that has ended the command: shells and `timeout` send it twice."""
    argv = [sys.executable, "-c", _PROGRAM, where, str(int(number)), "status", "/nonexistent"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)
