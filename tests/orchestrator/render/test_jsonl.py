"""A JSON object an event."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import get_args

from cluster.errors import HostError
from orchestrator.events import (
    Announced,
    Event,
    FindingReported,
    HostMessage,
    PhaseDone,
    PhaseFailed,
    RolledBack,
    RunStarted,
    TransportDetected,
    Waiting,
)
from orchestrator.render import announce, jsonl
from orchestrator.render.failure_report import report
from orchestrator.render.json_text import to_json
from tests.orchestrator.render import story

AT = datetime(2026, 7, 1, 9, 12, 44, 123456, UTC)


def test_kind_time_and_fields() -> None:
    assert jsonl.line(PhaseDone("Observe hosts", 1.21), AT) == (
        '{"event": "phase_done", "time": "2026-07-01T09:12:44.123+00:00", '
        '"title": "Observe hosts", "seconds": 1.21, "schema_version": 1}'
    )


def test_tuples_are_lists() -> None:
    told = json.loads(jsonl.line(RunStarted("up", "ernie", ("gpu-a", "gpu-b")), AT))
    assert (told["event"], told["hosts"]) == ("run_started", ["gpu-a", "gpu-b"])


def test_errors_are_told_in_full() -> None:
    told = json.loads(jsonl.line(PhaseFailed("Join Ray workers", 4.1, story.failed), AT))
    assert {**told["error"], "schema_version": 1} == json.loads(to_json(report(story.failed)))
    assert json.loads(jsonl.line(RolledBack("Join Ray workers"), AT))["error"] is None


def test_what_kept_hosts_from_an_answer_is_told_in_full() -> None:
    shown = json.loads(jsonl.line(Waiting("it", 1.0, "", problems=(story.unreachable,)), AT))
    full = dict(report(story.unreachable))
    assert shown["problems"] == [{key: full[key] for key in ("kind", "host", "doing", "cause", "cure")}]


def test_a_wait_repeats_no_output_of_hosts() -> None:
    lost = HostError("gpu-a", "read the status of vllm", '{"text": "VLLM_API_KEY=hush')
    assert "hush" not in jsonl.line(Waiting("it", 1.0, "", problems=(lost,)), AT)


def test_findings_and_announcements_are_objects() -> None:
    assert json.loads(jsonl.line(FindingReported(story.SHM), AT))["finding"]["found"] == "4.0 GiB"
    assert json.loads(jsonl.line(TransportDetected(story.TRANSPORT), AT))["transport"]["kind"] == "NET/IB/GDRDMA"
    told = json.loads(jsonl.line(Announced(story.ANNOUNCEMENT), AT))["announcement"]
    assert {**told, "schema_version": 1} == json.loads(to_json(announce.document(story.ANNOUNCEMENT)))


def test_what_a_host_said_is_escaped() -> None:
    shown = jsonl.line(HostMessage("gpu-a", "\x1b[31m8 × H100\n\ud800"), AT)
    assert '"line": "\\u001b[31m8 \\u00d7 H100\\n\\ud800"' in shown
    assert shown.isascii()


def test_a_message_has_its_parts_and_all_of_it_in_a_line() -> None:
    shown = json.loads(jsonl.line(HostMessage("gpu-a", "it is lost", "warning", "no route", "see to it"), AT))
    assert {key: shown[key] for key in ("severity", "message", "cause", "cure")} == {
        "severity": "warning", "message": "it is lost", "cause": "no route", "cure": "see to it",
    }  # fmt: skip
    assert shown["line"] == "warning: it is lost: no route (see to it)"


def test_every_kind_of_event_has_a_line() -> None:
    events = [event for _, event in (*story.ENDED, *story.BAD)]
    assert {type(event) for event in events} == set(get_args(Event))
    assert all(json.loads(jsonl.line(event, AT)) for event in events)


def test_the_sink_writes_lines() -> None:
    stream = io.StringIO()
    jsonl.sink(stream, lambda: AT)(HostMessage("gpu-a", "Application startup complete."))
    assert stream.getvalue() == jsonl.line(HostMessage("gpu-a", "Application startup complete."), AT) + "\n"
