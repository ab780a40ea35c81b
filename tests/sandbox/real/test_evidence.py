"""What `docs/benchmarks.md` says of real GPUs is in the files that the runs left."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "benchmarks/gpu"
#: One GPU of 80 GB: the published guide's own figure.
GUIDE = "261.13"


def _measured(found: Any) -> Iterator[float]:
    """Every throughput, however deep it lies."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name in ("output_throughput", "output_per_second") and value is not None:
                yield value
            yield from _measured(value)


@pytest.fixture(scope="module")
def measured() -> set[str]:
    texts = (json.loads(path.read_text())["figures"] for path in FOLDER.glob("*.json"))
    return {f"{one:,.2f}" for text in texts for one in _measured(text)}


def _figures(heading: str) -> set[str]:
    """Of the first table under a heading, to two places, of the size of tokens a second."""
    page = (ROOT / "docs/benchmarks.md").read_text()
    section = page.partition(f"### {heading}\n")[2].partition("\n### ")[0]
    rows = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    found = re.findall(r"(?<![\d,.])[\d,]+\.\d\d(?!\d)", rows)
    return {one for one in found if float(one.replace(",", "")) > 200}


@pytest.mark.parametrize(("heading", "least"), [
    ("The guide's work on one GPU", 12),
    ("The 424B on four GPUs, and on eight", 4),
    ("Tensor against pipeline parallel", 3),
])  # fmt: skip
def test_throughputs_are_those_that_were_measured(heading: str, least: int, measured: set[str]) -> None:
    said = _figures(heading) - {GUIDE}
    assert len(said) >= least
    assert said <= measured


def test_every_file_is_explained() -> None:
    explained = set(re.findall(r"`(2026-[^`]*)`", (FOLDER / "README.md").read_text()))
    assert explained == {path.name for path in FOLDER.iterdir()} - {"README.md"}
