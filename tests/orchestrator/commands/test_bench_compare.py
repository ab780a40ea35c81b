"""`bench compare`: what is shown, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli import cli
from tests.cluster.bench.results import conditions
from tests.orchestrator.report.kept import keep

Captured = pytest.CaptureFixture[str]


def compare(*given: object) -> int:
    return cli.main(["bench", "compare", *map(str, given)])


def test_a_table_for_each_cell(tmp_path: Path, capsys: Captured) -> None:
    other = keep(tmp_path / "b", faster=1.5, known=conditions(driver="x", tensor_parallel_size=4))
    assert compare(keep(tmp_path / "a"), other) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "- layout: A TP8 × PP1, B TP4 × PP1" in lines[:4]
    at = lines.index("prompt-heavy (8000/1000), 16 prompts: 1 pair, 1 of them with the same prompts")
    assert lines[at + 1].split() == ["figure", "A", "B", "change", "95", "%", "verdict"]
    assert lines[at + 2].split()[:5] == ["output", "tokens,", "/s", "493.82", "740.74"]
    assert lines[at + 2].split()[5:] == ["+50.0", "%", "–", "one", "pair:", "no", "verdict"]
    at = lines.index("all together: 6 pairs, 6 of them with the same prompts")
    assert lines[at + 2].endswith("B is better")
    assert lines[at + 3].endswith("no difference shown")


def test_the_same_for_programs_and_to_paste(tmp_path: Path, capsys: Captured) -> None:
    folders = keep(tmp_path / "a"), keep(tmp_path / "b", faster=1.5)
    assert compare(*folders, "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["otherwise"] == []
    assert [group["pairs"] for group in found["groups"]] == [1] * 6 + [6]
    best = found["groups"][-1]["differences"][0]
    assert (best["figure"], best["verdict"]) == ("output tokens", "B is better")
    assert best["low"] == pytest.approx(0.5)
    assert compare(*folders, "--output", "markdown") == 0
    shown = capsys.readouterr().out
    assert "### all together: 6 pairs" in shown
    assert "| TTFT median, ms | 140.00 | 140.00 | +0.0 % | +0.0 % to +0.0 % | no difference shown |" in shown


def test_what_cannot_be_compared(tmp_path: Path, capsys: Captured) -> None:
    a, b = keep(tmp_path / "x" / "a"), keep(tmp_path / "x" / "b", sizes=(32,))
    assert compare(a, b) == 2
    assert "A and B share no workload with a valid run in both" in capsys.readouterr().err
    assert compare(a, tmp_path / "x") == 2
    assert f"{tmp_path}/x holds 2 series" in capsys.readouterr().err
    assert compare(a, tmp_path / "no") == 2
