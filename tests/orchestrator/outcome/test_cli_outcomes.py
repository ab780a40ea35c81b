"""How a command ends: its exit code, its one result on stdout, and every failure told once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.errors import ClusterError, FleetError, UsageError
from orchestrator.cli import cli
from orchestrator.run.interrupts import Interrupted
from tests.orchestrator.render import story
from tests.orchestrator.simulated_cluster import SimulatedCluster, run, written

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (story.preflight, 3),
        (story.unreachable, 4),
        (story.several, 4),
        (story.failed, 5),
        (story.not_ready, 6),
        (story.not_freed, 7),
        (story.held, 8),
        (Interrupted("interrupted"), 130),
        (KeyboardInterrupt(), 130),
    ],
)
@pytest.mark.parametrize("output", ["plain", "json"])
def test_every_failure_has_its_code_and_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, error: BaseException, code: int, output: str
) -> None:
    def fail(*_: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("orchestrator.commands.status.run", fail)
    assert cli.main(["status", "--output", output]) == code
    shown = capsys.readouterr()
    if output == "json":
        told = json.loads(shown.out)
        assert told["kind"] == (error.kind if isinstance(error, ClusterError) else "Interrupted")
    else:
        assert shown.out == ""
        assert shown.err.startswith("✗ ")


def test_a_failure_whose_undo_was_left_is_told_first(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **options: object) -> None:
        raise Interrupted("interrupted twice", cure="`orchestrator down a.yaml` removes it") from story.not_ready

    monkeypatch.setattr("orchestrator.commands.status.run", fail)
    assert cli.main(["status", "--output", "plain"]) == 130
    said = capsys.readouterr().err
    assert said.index("one token from") < said.index("✗ interrupted twice\n  next   `orchestrator down")


def test_an_impatient_person_sees_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def again(*_: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.commands.status.run", again)
    monkeypatch.setattr("orchestrator.outcome.output.print_failure", again)
    assert cli.main(["status"]) == 130


def test_status_as_a_table_and_as_json(tmp_path: Path, capsys: Captured) -> None:
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", path, "--output", "plain") == 0
    capsys.readouterr()
    assert run(simulated, "status") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "gpu-b" in shown.out
    assert "healthy, generates tokens" in shown.out
    assert run(simulated, "status", path, "--output", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [host["host"] for host in document["hosts"]] == ["gpu-a", "gpu-b"]
    assert document["endpoint"]["tokens"] is True


def test_a_failing_up_is_one_json_document_and_json_lines(tmp_path: Path, capsys: Captured) -> None:
    simulated = SimulatedCluster(broken=frozenset({"facts"}))
    assert run(simulated, "up", written(tmp_path), "--output", "json") == 4
    shown = capsys.readouterr()
    assert json.loads(shown.out)["kind"] == FleetError.__name__
    assert [json.loads(line)["event"] for line in shown.err.splitlines()][-1] == "phase_failed"


def test_usage_errors_are_told_on_both_streams_where_json_is_wanted(capsys: Captured) -> None:
    assert cli.main(["down", "--output", "json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["kind"] == UsageError.__name__
    assert shown.err.startswith("✗ no cluster is known")
