"""The page as a browser shows it: all of it, without a complaint, with the figures of the files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cluster.bench import published_guide
from cluster.bench.workload import GUIDE
from orchestrator.cli import cli
from orchestrator.report.series import Series, load
from tests.cluster.bench.results import conditions
from tests.orchestrator.report.browser import CHROMIUM, Rendered, render
from tests.orchestrator.report.kept import keep

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: scripts/install brings it")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    base = tmp_path_factory.mktemp("results")
    dummy = conditions(tensor_parallel_size=16, engine=("vllm", "serve", "--load-format", "dummy"))
    return [keep(base / "one"), keep(base / "two", faster=1.5, known=dummy)]


@pytest.fixture(scope="module")
def page(folders: list[Path]) -> Path:
    path = folders[0] / "report.html"
    assert cli.main(["bench", "report", *map(str, folders)]) == 0
    return path


@pytest.fixture(scope="module")
def series(folders: list[Path]) -> tuple[Series, ...]:
    return load(folders)


@pytest.fixture(scope="module")
def rendered(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return render(page, tmp_path_factory.mktemp("light"))


def test_it_is_whole_and_says_nothing_on_the_console(rendered: Rendered) -> None:
    assert rendered.console == ()
    assert 'data-ready="yes"' in rendered.dom
    assert len(rendered.drawn) == 7 * len(GUIDE)
    for plot in rendered.drawn.values():
        assert plot["marks"] > 5, plot["id"]
        assert plot["height"] > 300, plot["id"]


def test_a_page_that_complains_is_noticed(page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text().replace("paint(false);\n  document", "nothing();\n  document"))
    found = render(broken, tmp_path)
    assert "nothing is not defined" in found.console[0]
    assert 'data-ready="yes"' not in found.dom


def test_it_needs_no_other_file(page: Path) -> None:
    text = page.read_text()
    assert not re.findall(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=(?!\"data:)", text)
    assert "@import" not in text


def test_plots_hold_the_figures_of_the_files(rendered: Rendered, series: tuple[Series, ...]) -> None:
    for workload in GUIDE:
        for at, one in enumerate(series):
            rows = [row.figures for row in one.rows if row.workload == workload and row.figures]
            drawn = rendered.drawn[f"{workload.name}-throughput"]["traces"][at]
            assert drawn["name"] == one.name
            assert drawn["x"] == [1, 16]
            assert drawn["y"] == [figures.output_per_second for figures in rows]
            median, p99 = rendered.drawn[f"{workload.name}-ttft"]["traces"][2 * at : 2 * at + 2]
            assert median["y"] == [figures.ttft.median for figures in rows]
            assert p99["y"] == [figures.ttft.p99 for figures in rows]
            times = rendered.drawn[f"{workload.name}-tpot"]["traces"][2 * at]
            assert times["y"] == [figures.tpot.median for figures in rows]


def test_plots_hold_every_request_of_the_runs_that_count(rendered: Rendered, series: tuple[Series, ...]) -> None:
    drawn = rendered.drawn["prompt-heavy-ttft-requests"]["traces"][0]
    runs = series[0].valid(GUIDE[0])
    assert drawn["y"] == pytest.approx([request.ttft for kept in runs for request in kept.requests])
    assert drawn["x"] == ["1"] + ["16"] * 16


def test_plots_hold_the_samples(rendered: Rendered) -> None:
    running, _, usage, tokens = rendered.drawn["balanced-time"]["traces"][4:8]
    assert (running["name"], running["y"]) == ("16, TP8 × PP1", [16] * 4)
    assert usage["y"] == [10, 20, 30, 40]
    assert tokens["y"] == [1600] * 3


def test_the_table_beside_the_guide(rendered: Rendered, series: tuple[Series, ...]) -> None:
    table = {row[0]: row[1:] for row in rendered.tables()[0]}
    assert table["Figure"] == [f"The guide, {published_guide.HARDWARE}", "TP8 × PP1", "TP16 × PP1"]
    assert [table[name][0] for name in ("Output tokens, /s", "TTFT mean, ms", "ITL P99, ms")] == [
        "261.13",
        "15,663.63",
        "236.49",
    ]
    ours = next(row.figures for row in series[0].rows if row.num_prompts == 16)
    assert ours
    times = ours.output_per_second / 261.13
    assert table["Output tokens, /s"][1] == f"{ours.output_per_second:,.2f} ({times:.2f}×)"
    assert table["Successful requests"][1:] == ["16", "16"]


def test_all_figures_and_what_was_left_out(rendered: Rendered, series: tuple[Series, ...]) -> None:
    groups, columns, workload, one, sixteen, *_ = rendered.tables()[1]
    assert groups == ["", "Requests", "Tokens a second", "TTFT, ms", "TPOT, ms", "ITL, ms", ""]
    assert columns[:2] == ["Prompts", "Runs"]
    assert workload == ["prompt-heavy (8000/1000)"]
    figures = series[0].rows[0].figures
    assert figures
    assert one[:2] == ["1", "1"]
    assert one[4] == f"{figures.output_per_second:,.2f}"
    assert (sixteen[0], sixteen[-1]) == ("16", "0 %")
    assert "not cold: &lt;/script&gt; &amp; 16,000" in rendered.dom


def test_it_says_what_is_not_as_it_was_for_the_guide(rendered: Rendered) -> None:
    assert "8 × NVIDIA H100 80GB HBM3 (TP8 × PP1); the guide's was one GPU of 80 GB" in rendered.dom
    assert "its weights are random numbers (--load-format dummy)" in rendered.dom
    assert (
        "the model is baidu/ERNIE-4.5-VL-424B-A47B-PT; the guide's was baidu/ERNIE-4.5-VL-28B-A3B-PT"
        in rendered.dom
    )
    assert "12 of 14 runs count" in rendered.dom


def test_the_raw_data_is_all_of_it(rendered: Rendered, series: tuple[Series, ...]) -> None:
    raw = json.loads(re.findall(r'id="raw">(.*?)</script>', rendered.dom, re.DOTALL)[0])
    assert [one["name"] for one in raw["series"]] == ["TP8 × PP1", "TP16 × PP1"]
    runs = raw["series"][0]["runs"]
    assert len(runs) == 7
    first = series[0].runs[0].run
    assert runs[0]["figures"] == json.loads(first.model_dump_json())["figures"]
    assert raw["guide"]["figures"]["output_per_second"] == 261.13
    assert re.search(r'<a id="download" download="benchmark.json" href="blob:', rendered.dom)


def test_it_is_dark_where_somebody_wants_it_so(rendered: Rendered, page: Path, tmp_path: Path) -> None:
    dark = render(page, tmp_path, dark=True)
    assert dark.console == ()
    assert {plot["ink"] for plot in rendered.drawn.values()} == {"#1c1e21"}
    assert {plot["ink"] for plot in dark.drawn.values()} == {"#e6e8ea"}
