"""The journal: every event, and never a failure of the run."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.events import Event, HostActivity, HostMessage, LastLogLine, PhaseDone, PhaseStarted
from orchestrator.session.journal import Journal

AT = datetime(2026, 7, 1, 9, 12, 44, tzinfo=UTC)
STARTED, DONE = PhaseStarted("Observe hosts"), PhaseDone("Observe hosts", 1.2)


def journal(path: Path) -> tuple[Journal, list[Event]]:
    complaints: list[Event] = []
    return Journal(path, complaints.append, lambda: AT), complaints


def test_every_event_is_a_line_in_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "ernie" / "journal.jsonl"
    keep, complaints = journal(path)
    keep(STARTED)
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["phase_started"]
    keep(DONE)
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["phase_started", "phase_done"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert complaints == []


def test_what_passes_by_the_second_is_not_kept(tmp_path: Path) -> None:
    keep, _ = journal(tmp_path / "journal.jsonl")
    for event in (STARTED, HostActivity("gpu-a", "3.0 GiB read"), LastLogLine("gpu-a", "Loading")):
        keep(event)
    assert (tmp_path / "journal.jsonl").read_text().count("\n") == 1


def test_an_earlier_run_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("{}\n")
    journal(path)[0](STARTED)
    assert len(path.read_text().splitlines()) == 2


def test_a_full_disk_is_said_once() -> None:
    keep, complaints = journal(Path("/dev/full"))
    for _ in range(3):
        keep(STARTED)
    assert complaints == [
        HostMessage("", "this run has no journal", cause="/dev/full cannot be written: No space left on device")
    ]


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    keep, complaints = journal(tmp_path / "file" / "journal.jsonl")
    keep(STARTED)
    keep(DONE)
    assert len(complaints) == 1


def test_a_line_cut_short_does_not_swallow_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "journal.jsonl", os.write
    keep, complaints = journal(path)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: write(file, data[:10]))
        keep(STARTED)
    keep(DONE)
    assert len(complaints) == 1
    torn, whole = path.read_text().splitlines()
    assert (torn, json.loads(whole)["event"]) == ('{"event": ', "phase_done")
