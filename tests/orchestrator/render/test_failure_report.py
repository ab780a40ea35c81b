"""Notes, poor terminals, and errors as a report for programs."""

from __future__ import annotations

import json

import pytest

from cluster.errors import ClusterError, FleetError, HostError, NotReady
from orchestrator.render import failure
from orchestrator.render.failure_report import report
from orchestrator.render.json_text import to_json
from orchestrator.render.text import ASCII
from tests.orchestrator.render import story


def test_notes_come_last() -> None:
    error = NotReady("16 GPUs", 2, cure="look at gpu-b")
    error.add_note("Join Ray workers could not be rolled back: gpu-b: connect")
    assert failure.lines(error).splitlines()[-2:] == [
        "  next   look at gpu-b",
        "  also   Join Ray workers could not be rolled back: gpu-b: connect",
    ]


def test_notes_of_one_host_of_a_fleet_and_of_the_fleet() -> None:
    one = HostError("gpu-a", "stop Ray")
    one.add_note("its keeper is gone")
    error = FleetError([one])
    error.add_note("the lease stays")
    assert failure.lines(error).splitlines()[1:] == ["  also   its keeper is gone", "  also   the lease stays"]


ALL: list[ClusterError] = [
    story.failed,
    story.unreachable,
    story.timed_out,
    story.unintelligible,
    story.same,
    story.several,
    story.preflight,
    story.not_ready,
    story.held,
    story.not_freed,
    story.inventory,
    ClusterError("no cluster is known here"),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.kind)
def test_ascii_terminals(error: ClusterError) -> None:
    assert failure.lines(error, marks=ASCII).replace("×", "").isascii()


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.kind)
def test_a_report_is_json_and_names_its_kind(error: ClusterError) -> None:
    told = json.loads(to_json(report(error)))
    assert told["kind"] == error.kind
    assert {"message", "cause", "cure", "notes"} <= set(told)


def test_a_report_cuts_nothing() -> None:
    told = json.loads(to_json(report(story.failed)))
    assert told["said"] == story.MISMATCH.strip()
    assert (told["host"], told["status"], told["command"]) == ("gpu-b", 1, story.RAY_START.shown())


def test_a_report_of_several_hosts() -> None:
    told = json.loads(to_json(report(story.several)))
    assert [one["kind"] for one in told["errors"]] == ["CommandTimedOut", "Unreachable", "CommandTimedOut"]
