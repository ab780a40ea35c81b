"""What a person's hand and a lost terminal do to a run, in a process of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.local import last_inventory
from tests.orchestrator.simulated_cluster import written
from tests.orchestrator.test_plans import LAUNCHES, STOPS
from tests.timing import LIMIT

LOADING, STOPPING = "unit_status vllm", "stop ray"


@contextmanager
def running(path: Path, *words: str, hang: str, stderr: int = subprocess.PIPE, state: str = "") -> Iterator[Run]:
    argv = [sys.executable, "-m", "tests.orchestrator.simulated_cluster", *words]
    more = {"XDG_STATE_HOME": state} if state else {}
    process = subprocess.Popen(
        [*argv, str(path)] if words[0] == "up" else argv,
        env={**os.environ, **more, "HANG": hang, "PYTHONWARNINGS": "error", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        yield Run(process)
    finally:
        process.kill()
        process.communicate()


class Run:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def reaches(self, kind: str) -> None:
        """Waits until it says so; the end of its words would be an empty line."""
        assert self._process.stdout
        assert self._process.stdout.readline().decode() == f"{kind}\n"

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ends(self) -> tuple[int, list[str], str]:
        """The exit code, what it had done on the hosts, and its stderr."""
        out, err = self._process.communicate(timeout=LIMIT)
        return self._process.returncode, out.decode().splitlines(), (err or b"").decode()


def test_the_first_takes_back_what_was_started(tmp_path: Path) -> None:
    with running(written(tmp_path), "up", "--output", "plain", hang=LOADING) as run:
        run.reaches(LOADING)
        run.send(signal.SIGTERM)
        code, done, errors = run.ends()
    assert code == 130
    assert done == [*LAUNCHES, *STOPS, "the end"]
    assert errors.count("rolled back") == 3
    assert errors.endswith("✗ interrupted\n")


def test_the_second_leaves_at_once_and_says_how_to_clean(tmp_path: Path) -> None:
    path = written(tmp_path)
    with running(path, "up", "--output", "plain", hang=f"{LOADING},{STOPPING}") as run:
        run.reaches(LOADING)
        run.send(signal.SIGINT)
        run.reaches(STOPPING)
        run.send(signal.SIGINT)
        code, done, errors = run.ends()
    assert code == 130
    assert done == [*LAUNCHES, STOPS[0], "the end"]
    assert "✗ interrupted twice: what this run started may still be running\n" in errors
    assert f"next   `orchestrator down {path}` removes it" in errors
    assert "Traceback" not in errors


def test_it_is_one_json_document_too(tmp_path: Path) -> None:
    with running(written(tmp_path), "up", "--output", "json", hang=LOADING) as run:
        run.reaches(LOADING)
        run.send(signal.SIGINT)
        code, out, errors = run.ends()
    document = json.loads("\n".join(out[: out.index("}") + 1]))
    assert (code, document["kind"]) == (130, "Interrupted")
    assert "✗ interrupted" in errors


@pytest.mark.parametrize("output", ["plain", "live"])
def test_a_lost_terminal_ends_the_watching_alone(tmp_path: Path, output: str) -> None:
    ours, theirs = pty.openpty()
    try:
        with running(written(tmp_path), "up", "--output", output, hang=LOADING, stderr=theirs) as run:
            run.reaches(LOADING)
            run.send(signal.SIGHUP)
            code, done, _ = run.ends()
    finally:
        os.close(ours)
        os.close(theirs)
    assert (code, done) == (-signal.SIGHUP, [])


def test_a_down_that_was_interrupted_names_the_way_on(tmp_path: Path) -> None:
    path, state = written(tmp_path), str(tmp_path)
    last_inventory.remember(tmp_path / "orchestrator", "demo", path)
    with running(path, "down", "--output", "plain", hang="facts", state=state) as run:
        run.reaches("facts")
        run.send(signal.SIGINT)
        code, _, errors = run.ends()
    assert code == 130
    assert "next   `orchestrator down --cluster demo` continues" in errors
