"""Parts of the look at processes that are stuck: stacks, and the ends of connections."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest

from cluster.remote.diagnosis import sockets, stacks
from tests.timing import Stopwatch


def py_spy(tmp_path: Path, script: str) -> str:
    """One that does as told."""
    path = tmp_path / "py-spy"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_py_spy_the_stack_is_missing_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "py_spy", lambda: None)
    assert stacks.stacks([7], time.monotonic() + 1) == {7: {"stack_problem": "py-spy is missing on this host"}}


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo 'Error: Permission Denied' >&2; exit 1", "Error: Permission Denied"),
        ("exit 1", "py-spy printed nothing"),
        ("echo nonsense", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_why_there_is_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str) -> None:
    monkeypatch.setattr(stacks, "py_spy", lambda: py_spy(tmp_path, script))
    assert stacks.stacks([7], time.monotonic() + 5) == {7: {"stack_problem": problem}}


def test_one_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "py_spy", lambda: py_spy(tmp_path, "exec sleep 600"))
    with Stopwatch() as watch:
        found = stacks.stacks([7, 8], time.monotonic() + 0.3)
    assert watch.seconds < 5
    assert all("timed out" in one["stack_problem"] for one in found.values())


def test_the_main_thread_comes_first() -> None:
    frame = {"name": "f", "filename": "/a/b.py", "short_filename": "b.py", "line": 3}
    said = [
        {"pid": 7, "os_thread_id": 9, "thread_name": "other", "active": True, "frames": []},
        {"pid": 7, "os_thread_id": 7, "thread_name": None, "active": False, "frames": [frame]},
    ]
    main, other = stacks.threads(json.dumps(said))
    assert main == {"thread": "7", "main": True, "active": False, "frames": ["f (b.py:3)"]}
    assert other["thread"] == "other"


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("0100007F:1F90", "127.0.0.1:8080"),
        ("0000000000000000FFFF00000200430A:18EB", "10.67.0.2:6379"),
        ("00000000000000000000000001000000:0016", "[::1]:22"),
        ("00000000:0000", "0.0.0.0:0"),
    ],
)
def test_the_ends_of_connections(words: str, end: str) -> None:
    assert sockets.end_of(words) == end
