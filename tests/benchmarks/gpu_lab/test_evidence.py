"""Rows of `docs/benchmarks.md` about real GPUs, against the files that the runs left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.gpu_lab.even import table
from benchmarks.gpu_lab.even.predictions import EXPERTS_HIT

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "benchmarks/gpu"


class Row(NamedTuple):
    """What a row begins with, the file, and its figure: one each for seeds 1 and 2 where it has {}."""

    begins: str
    file: str
    figure: str


ROWS = [
    Row("| `--enforce-eager` | `eager` |", "2026-11-26-h200-eager", "eager-node0-enforce-eager-{}"),
    Row("| default: what `up` launches |", "2026-11-26-h200-eager", "eager-node1-default-{}"),
    Row("| default | `tune` with FlashInfer |", "2026-11-26-h200-tune-flashinfer", "tune-node0-default-{}"),
    Row("| default, another GPU |", "2026-11-26-h200-tune-scheduling", "tune-node0-default-{}"),
    Row("| default | `tune` with the kernels |", "2026-11-27-h200-tune-kernels", "tune-node0-default-{}"),
    Row("| as the examples have it", "2026-11-27-h200-tune-kernels", "tune-node1-kernels-{}"),
    Row("| eight layers, bf16, TP4 |", "2026-11-27-h200-big-tp4", "big-pp1"),
    Row("| 27 layers, bf16", "2026-11-27-h200-half", "half-pp1"),
    Row("| 27 layers, FP8", "2026-11-27-h200-fp8", "fp8-80g"),
    Row("| all 54 layers, FP8, TP4", "2026-11-27-h200-whole-fp8", "whole-fp8-pp1"),
    Row("| eight layers of the 424B | TP2 |", "2026-11-27-h200-layouts", "2x1"),
    Row("| eight layers of the 424B | PP2 |", "2026-11-27-h200-layouts", "1x2"),
    Row("| 28B | TP2 |", "2026-11-26-h200-layouts-28b", "2x1"),
]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.file}: {row.begins.strip('| ')}")


def _left(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{row.file}.json").read_text())
    return found


def _said(row: Row) -> set[str]:
    """The cells' figures, commas and emphasis taken away."""
    page = (ROOT / "docs/benchmarks.md").read_text()
    (line,) = [one for one in page.splitlines() if one.startswith(row.begins)]
    return set(re.findall(r"\d+(?:\.\d+)?", line.removeprefix(row.begins).replace(",", "").replace("*", "")))


def _measured(figures: dict[str, Any]) -> set[str]:
    """Tokens a second to two places, TTFT without any, TPOT to one: of vLLM's own result or of `bench`."""
    if "figures" in figures:
        own = figures["figures"]
        speed, first, each = own["output_per_second"], own["ttft"]["mean"], own["tpot"]["mean"]
    else:
        speed, first, each = (figures[name] for name in ("output_throughput", "mean_ttft_ms", "mean_tpot_ms"))
    return {f"{speed:.2f}", f"{first:.0f}", f"{each:.1f}"}


@each_row
def test_a_row_has_what_was_measured(row: Row) -> None:
    figures = _left(row)["figures"]
    for name in dict.fromkeys(row.figure.format(seed) for seed in (1, 2)):
        assert _measured(figures[name]) <= _said(row)


@pytest.mark.parametrize("row", [one for one in ROWS if "layers, " in one.begins], ids=lambda row: str(row.file))
def test_a_row_of_the_424b_has_what_was_planned_and_what_vllm_said(row: Row) -> None:
    left = _left(row)
    name = row.figure
    planned, log = left["figures"]["plan"][f"{name}-plan"], " ".join(left["figures"][f"{name}: log"])
    (up,) = [step["seconds"] for step in left["steps"] if step["name"] == f"{name}: up"]
    loaded, cache = re.search(r"took ([\d.]+) GiB", log), re.search(r"cache size: ([\d,]+) tokens", log)
    assert loaded
    assert cache
    weights = f"{planned['weights_bytes_per_gpu'] / 2**30:.2f}"
    wanted = {weights, loaded[1], str(planned["kv_cache_tokens"]), cache[1].replace(",", ""), f"{up:.0f}"}
    assert wanted <= _said(row)


EVEN = [FOLDER / f"2026-11-30-h200-{name}.json" for name in ("even-default", "even-examples", "dummy-examples")]


@pytest.mark.parametrize("rows", [table.cells, table.flattered, table.steps], ids=lambda rows: rows.__name__)
def test_tables_with_all_experts_in_use_are_what_the_files_make(
    rows: Callable[[table.Results], Iterator[str]],
) -> None:
    page = (ROOT / "docs/benchmarks.md").read_text()
    made = list(rows(table.read(EVEN)))
    assert made
    assert "\n".join(made) in page


@pytest.mark.parametrize("path", EVEN[:2], ids=lambda path: path.stem)
def test_tokens_were_spread_over_all_experts(path: Path) -> None:
    found = json.loads(path.read_text())["routes"]["64"]
    shares = [count / found["even_tokens_an_expert"] for layer in found["tokens_an_expert"] for count in layer]
    assert len(shares) == 27 * 64
    assert (f"{min(shares):.2f}", f"{max(shares):.2f}") == ("0.85", "1.17")
    assert found["experts_hit"] == pytest.approx({str(key): hit for key, hit in EXPERTS_HIT.items()}, rel=0.01)


def test_dummy_weights_sent_all_tokens_to_six_experts() -> None:
    found = json.loads(EVEN[2].read_text())["routes"]["64"]
    assert {len([count for count in layer if count]) for layer in found["tokens_an_expert"]} == {6}


def test_every_file_is_explained() -> None:
    explained = set(re.findall(r"`(2026-[^`]*)`", (FOLDER / "README.md").read_text()))
    assert explained == {path.name for path in FOLDER.iterdir() if path.suffix != ".md"}
