"""`unlock`: whose lease was broken, by whom and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.errors import Unreachable
from cluster.inventory import load
from tests.cluster import builders
from tests.cluster.launch.test_unit import sent
from tests.doubles import Answer, ScriptedTransport
from tests.orchestrator.commands.program import run
from tests.orchestrator.scripted_stage import facts_answer
from tests.orchestrator.simulated_cluster import written

Captured = pytest.CaptureFixture[str]
THEIRS = {"owner": "bob", "machine": "desk", "since": "2026-11-22T09:00:00+00:00", "reason": "up demo"}
HELD = json.dumps({"held": {**THEIRS, "pid": 7}})


def head(folder: Path, held: str = HELD, look: Answer = "") -> ScriptedTransport:
    facts = facts_answer(builders.facts(load(written(folder), {}).head))
    return ScriptedTransport({"facts": look or facts, "break_lease": held})


def unlock(folder: Path, one: ScriptedTransport, *words: str) -> int:
    """The worker is not asked anything."""
    transports = {"gpu-a": one, "gpu-b": ScriptedTransport()}
    return run(transports, folder, "unlock", "--reason", "bob has left", *words)


def test_it_is_said_whose_lease_was_broken(tmp_path: Path, capsys: Captured) -> None:
    one = head(tmp_path)
    assert unlock(tmp_path, one) == 0
    assert capsys.readouterr() == (
        "demo was held by bob on desk since 2026-11-22T09:00:00+00:00: up demo: broken\n",
        "",
    )
    data = sent(one.executed[-1])
    assert (data["folder"], data["by"]["reason"]) == (builders.STATE, "bob has left")


def test_nobody_held_it(tmp_path: Path, capsys: Captured) -> None:
    assert unlock(tmp_path, head(tmp_path, '{"held": null}')) == 0
    assert capsys.readouterr().out == "no operator holds demo\n"


@pytest.mark.parametrize(("held", "broken"), [(HELD, THEIRS), ('{"held": null}', None)])
def test_for_a_program(tmp_path: Path, capsys: Captured, held: str, broken: dict[str, str] | None) -> None:
    assert unlock(tmp_path, head(tmp_path, held), "--output", "json") == 0
    assert json.loads(capsys.readouterr().out) == {"cluster": "demo", "broken": broken, "schema_version": 1}


def test_a_head_that_is_lost(tmp_path: Path, capsys: Captured) -> None:
    lost = Unreachable("gpu-a", "connect", cause="no route")
    assert unlock(tmp_path, head(tmp_path, look=lost)) == 4
    assert "✗ gpu-a: could not connect (unreachable)" in capsys.readouterr().err
