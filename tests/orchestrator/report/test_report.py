"""What the page says, and the same for other programs."""

from __future__ import annotations

import builtins
import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster.bench.figures import Latency
from cluster.bench.verdict import failed
from cluster.bench.workload import GUIDE
from cluster.errors import UsageError
from orchestrator.bench.results import BenchSettings, open_results
from orchestrator.cli import cli
from orchestrator.report import narrative
from orchestrator.report.data import COLUMNS
from orchestrator.report.guide_comparison import differences
from orchestrator.report.page import page
from orchestrator.report.series import load
from tests.cluster.bench.results import conditions, figures, run
from tests.orchestrator.report.kept import keep

Captured = pytest.CaptureFixture[str]


def report(*given: object) -> int:
    return cli.main(["bench", "report", *map(str, given)])


def test_series_go_by_what_tells_them_apart(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    keep(tmp_path / "all" / "one")
    keep(tmp_path / "all" / "two", known=conditions(tensor_parallel_size=4))
    keep(tmp_path / "other")
    assert [one.name for one in load([tmp_path / "all"])] == ["TP8 × PP1", "TP4 × PP1"]
    assert [one.name for one in load([tmp_path / "all", tmp_path / "other"])] == ["one", "two", "other"]
    again = load([tmp_path / "other", tmp_path / "other"])
    assert len(again) == 1
    assert len(again[0].runs) == 7


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_results(tmp_path: Path, capsys: Captured, name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert report(tmp_path / name) == 2
    assert "`bench` wrote" in capsys.readouterr().err


def test_a_run_whose_result_is_lost_has_no_requests(tmp_path: Path) -> None:
    keep(tmp_path / "one")
    (tmp_path / "one" / "balanced-0001-1" / "vllm.json").unlink()
    (tmp_path / "one" / "balanced-0016-1" / "vllm.json").write_text("{")
    (one,) = load([tmp_path / "one"])
    assert [len(kept.requests) for kept in one.runs if kept.run.cell.workload == GUIDE[2]] == [0, 0]


def test_a_summary_in_words(tmp_path: Path) -> None:
    series = load([keep(tmp_path / "one")])
    what, counted, beside = narrative.summary(series)
    assert narrative.title(series) == "ERNIE-4.5-VL-424B-A47B-PT on 8 × NVIDIA H100 80GB HBM3"
    assert "served by vLLM 0.32.0 as TP8 × PP1 on 8 × NVIDIA H100 80GB HBM3. Measured on 2026-11-26" in what
    assert counted.startswith(
        "6 of 7 runs count: by the server's own counters all of their requests were answered, not"
    )
    assert "generated 493.82 tokens a second, 1.89 times the guide's 261.13" in beside
    assert dict(narrative.findings(series))["prompt-heavy (8000/1000)"] == (
        "TP8 × PP1 generated 493.8 tokens a second with 16 prompts at most (123.5 with 1); from 1 to 16 the median"
        " first token went from 100 ms to 180 ms, and a token after it from 10.0 to 10.0 ms."
    )
    assert [tile.figure for tile in narrative.tiles(series)] == ["494", "100", "1.89×"]


def test_one_run_counts(tmp_path: Path) -> None:
    how = BenchSettings(rate=10, cold="salt", origin="head", seed=7)
    open_results(tmp_path / "one", how, seeded=True).keep(run(), {})
    assert narrative.summary(load([tmp_path / "one"]))[1].startswith(
        "1 of 1 run counts: by the server's own counters"
    )


def test_tokens_that_came_together_are_told_beside_the_guide(tmp_path: Path) -> None:
    how = BenchSettings(rate=10, cold="salt", origin="head", seed=7)
    late = figures(itl=Latency(mean=315.0, median=300.0, p99=900.0))
    open_results(tmp_path / "one", how, seeded=True).keep(run(num_prompts=16, figures=late), {})
    series = load([tmp_path / "one"])
    assert differences(series[0])[-1].startswith("the client got about 32 tokens at a time: ")
    assert "<b>TP8 × PP1: prompt-heavy (8000/1000), 16 prompts:</b> the client got about 32 tokens" in page(
        series, "now"
    )


def test_cpus_are_called_so(tmp_path: Path) -> None:
    series = load([keep(tmp_path / "one", known=conditions(transport="gloo"))])
    assert narrative.title(series).endswith(" on CPUs in place of 8 × NVIDIA H100 80GB HBM3")
    assert "Not the same: CPUs in place of 8 ×" in narrative.summary(series)[2]


def test_nothing_to_be_proud_of(tmp_path: Path) -> None:
    how = BenchSettings(rate=10, cold="salt", origin="head", seed=7)
    open_results(tmp_path / "one", how, seeded=True).keep(run(verdict=failed("why"), figures=None), {})
    series = load([tmp_path / "one"])
    assert narrative.summary(series)[1] == "None of 1 run counts: see below, under what was left out."
    assert list(narrative.tiles(series)) == []
    text = page(series, "now")
    assert "is not among these runs" in text
    assert "<b>TP8 × PP1: prompt-heavy (8000/1000), 2 prompts</b> failed: why" in text


def test_words_of_others_are_no_markup(tmp_path: Path) -> None:
    bad = conditions(model="/models/<script>alert(1)</script>", engine=("vllm", "</script><b>"))
    text = page(load([keep(tmp_path / "one", known=bad)]), "now")
    assert "<script>alert" not in text
    assert text.count("</script>") == text.count("<script")


def test_one_row_a_run(tmp_path: Path, capsys: Captured) -> None:
    assert report(keep(tmp_path / "one"), "--output", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 7
    warm = next(row for row in rows if row["outcome"] == "invalid")
    assert (warm["workload"], warm["repeat"], warm["cache_hits"]) == ("prompt-heavy", "2", "16000")
    sixteen = next(row for row in rows if (row["workload"], row["num_prompts"]) == ("balanced", "16"))
    assert float(sixteen["output_per_second"]) == 123.456 * 4
    assert float(sixteen["ttft_median_ms"]) == pytest.approx(180)


def test_a_row_of_a_run_without_figures(tmp_path: Path, capsys: Captured) -> None:
    how = BenchSettings(rate=10, cold="salt", origin="head", seed=7)
    lost = run(verdict=failed("why"), figures=None, counts=None)
    open_results(tmp_path / "one", how, seeded=True).keep(lost, {})
    assert report(tmp_path / "one", "--output", "csv") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["outcome"], row["reasons"], row["output_per_second"], row["cache_hits"]) == (
        "failed",
        "why",
        "",
        "",
    )
    assert report(tmp_path / "one", "--output", "markdown") == 0
    assert "| prompt-heavy (8000/1000) | 2 | 0 | – | – | – | – | – |" in capsys.readouterr().out


def test_tables_to_paste(tmp_path: Path, capsys: Captured) -> None:
    assert report(keep(tmp_path / "one"), "--output", "markdown") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("## TP8 × PP1\n\n| workload | prompts | runs | output tok/s |")
    assert "| balanced (1000/1000) | 16 | 1 | 493.82 | " in shown
    assert "| Output tokens, /s | 261.13 | 493.82 |\n" in shown


def test_one_document(tmp_path: Path, capsys: Captured) -> None:
    assert report(keep(tmp_path / "one"), "--output", "json") == 0
    (series,) = json.loads(capsys.readouterr().out)["series"]
    assert len(series["runs"]) == 7
    assert len(series["runs"][1]["requests"]) in (1, 16)
    assert report(tmp_path / "missing", "--output", "json") == 2
    assert json.loads(capsys.readouterr().out)["kind"] == "UsageError"


def test_the_page_where_it_is_wanted(tmp_path: Path, capsys: Captured) -> None:
    assert report(keep(tmp_path / "one"), "--to", tmp_path / "there.html") == 0
    assert capsys.readouterr().out == f"{tmp_path}/there.html\n"
    assert (tmp_path / "there.html").stat().st_size > 1_000_000
    assert report(tmp_path / "one", "--to", tmp_path / "no" / "there.html") == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_what_draws_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_plotly(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        names: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if name.startswith("plotly"):
            raise ImportError("no plotly", name="plotly")
        return real(name, globals, locals, names or (), level)

    series = load([keep(tmp_path / "one")])
    monkeypatch.setattr(builtins, "__import__", without_plotly)
    with pytest.raises(UsageError, match="a page needs plotly") as caught:
        page(series, "now")
    assert caught.value.cure.startswith("pip install '.[report]'")
