"""What stands on stdout with `--output json`: the document of every command, and that of every failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

from cluster.bench.verdict import Verdict
from cluster.errors import (
    ClusterError,
    CommandFailed,
    EngineDied,
    FleetError,
    HostError,
    InUse,
    LeaseLost,
    NotReady,
    StateTaken,
    TimedOut,
    UsageError,
)
from cluster.values import Lease, NcclTransport, Presence
from cluster.values.findings import Severity
from orchestrator.bench.not_kept import NotKept
from orchestrator.outcome.exit_codes import exit_code
from orchestrator.outcome.result import ResultLost
from orchestrator.render.failure_report import report
from orchestrator.render.json_text import to_json
from orchestrator.run.interrupts import Interrupted
from tests.orchestrator.render import story
from tests.public.golden import holds, shape
from tests.public.whole import Whole


def failures() -> Iterator[ClusterError]:
    """One of every kind."""
    yield from (story.failed, story.unreachable, story.timed_out, story.unintelligible, story.several)
    yield from (story.preflight, story.not_ready, story.held, story.not_freed, story.inventory)
    yield LeaseLost("ernie", Lease("anna", "laptop-7", "2026-07-01T09:12:44+00:00", "up"))
    yield InUse("ernie", "gpu-a", "vllm on gpu-a: launched by anna on laptop-7", "--seed=1 there, --seed=2 here")
    yield HostError("gpu-a", "look", "said", cause="cause", cure="cure")
    yield StateTaken("gpu-a", "read the logs", cause="cause", cure="cure")
    yield from (ClusterError("a"), UsageError("a"), NotKept("a"), Interrupted("a"), ResultLost("a"))


def reported(error: ClusterError) -> dict[str, Any]:
    """What a program reads of it."""
    document: dict[str, Any] = json.loads(to_json(report(error)))
    return document


def kinds(parent: type[ClusterError] = ClusterError) -> Iterator[str]:
    """Yields the kinds of the program's own errors: tests have some besides."""
    if parent.__module__.partition(".")[0] in ("cluster", "orchestrator"):
        yield parent.kind
    for child in parent.__subclasses__():
        yield from kinds(child)


def test_every_command(whole: Whole) -> None:
    holds("documents", {name: shape(*found) for name, found in whole.documents.items()})


def test_every_failure() -> None:
    found = {error.kind: shape(reported(error)) for error in failures()}
    holds("failures", found)
    assert set(found) == set(kinds())


def test_the_exit_code_of_every_failure() -> None:
    codes = {one.kind: exit_code(one) for one in failures() if not isinstance(one, FleetError)}
    lost, failed = FleetError([story.unreachable]), FleetError([story.failed])
    assert isinstance(story.failed, CommandFailed)
    more = {"a defect": exit_code(ValueError()), "Ctrl-C": exit_code(KeyboardInterrupt())}
    holds("exit-codes", codes | {"FleetError, one lost": exit_code(lost), "FleetError": exit_code(failed)} | more)


@pytest.mark.parametrize("error", [TimedOut("the engine", 2.0), EngineDied("gpu-a", "it died", "look")])
def test_whatever_is_not_ready_is_one_kind(error: NotReady) -> None:
    document = reported(error)
    holds("failures", shape(document), "NotReady")
    assert (document["kind"], exit_code(error)) == ("NotReady", 6)


def test_words_that_stand_for_a_state(whole: Whole) -> None:
    """What programs compare."""
    words = {
        "hosts[].ray": [str(one) for one in Presence],
        "findings[].severity": list(get_args(Severity)),
        "transport.kind": list(get_args(get_type_hints(NcclTransport)["kind"])),
        "runs[].verdict.outcome": list(get_args(Verdict.model_fields["outcome"].annotation)),
    }
    holds("words", words)
    found = {host["ray"] for one in whole.documents["status"] for host in one["hosts"]} - {None}
    assert found <= set(words["hosts[].ray"])


def test_what_a_journal_has_is_what_stderr_has(whole: Whole) -> None:
    rows = [json.loads(row) for row in whole.remembered["demo/TIME-up.jsonl"].splitlines()]
    assert {one["event"] for one in rows} <= {one["event"] for one in whole.events}
