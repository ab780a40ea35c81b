"""Closed and broken streams do not end the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.orchestrator.simulated_cluster import written
from tests.orchestrator.test_plans import LAUNCHES
from tests.timing import LIMIT

UP = [sys.executable, "-m", "tests.orchestrator.simulated_cluster", "up", "--output"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "error", "TERM": "xterm"}


def test_stderr_that_nobody_reads(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*UP, "plain", str(written(tmp_path))],
            env=environment(), stdout=subprocess.PIPE, stderr=writing, text=True, timeout=LIMIT,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert done.stdout.endswith("\n".join([*LAUNCHES, "the end\n"]))


def test_streams_that_were_closed_from_the_start(tmp_path: Path) -> None:
    argv = ["/bin/sh", "-c", 'exec "$@" 0<&- 2>&-', "sh", *UP, "plain", str(written(tmp_path))]
    done = subprocess.run(argv, env=environment(), stdout=subprocess.PIPE, text=True, timeout=LIMIT)
    assert done.returncode == 0
    assert "curl -sS" in done.stdout


@pytest.mark.parametrize("words", [["status", "/nonexistent", "--output", "json"], ["up", "--help"]])
def test_stdout_that_nobody_reads(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *words],
            env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=LIMIT,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert done.returncode == (0 if "--help" in words else 2)
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["plan", "inventory.yaml"], 1),
        (["plan", "inventory.yaml", "--output", "json"], 1),
        (["--version"], 1),
        (["bench", "run", "--help"], 1),
        (["status", "/nonexistent", "--output", "json"], 2),
    ],
)
def test_a_result_that_cannot_be_written_is_an_error(words: list[str], code: int) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *words],
            env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT,
        )  # fmt: skip
    assert (done.returncode, done.stderr.count("failed to write the result to stdout")) == (code, 1)
    assert "No space left on device" in done.stderr


def test_up_says_so_when_its_announcement_is_lost(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*UP, "json", str(written(tmp_path))],
            env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT,
        )  # fmt: skip
    assert done.returncode == 1
    assert "failed to write the result to stdout" in done.stderr
