"""Files on the operator's machine: below ORCHESTRATOR_STATE, in bundles, and in results of the benchmark."""

from __future__ import annotations

import csv
import json
import tarfile
from io import StringIO
from typing import Any

from tests.public.golden import holds, shape
from tests.public.whole import Whole, texts, timeless


def told(files: dict[str, str]) -> dict[str, Any]:
    """What each file holds: the keys of a document, or nothing of what is for people."""
    return {name: _told(name, text) for name, text in files.items()}


def _told(name: str, text: str) -> Any:
    if name.endswith(".json"):
        return shape(json.loads(text))
    return {}


def test_what_this_machine_remembers(whole: Whole) -> None:
    """The journal of a run is one of events."""
    holds("state", told(whole.remembered), "while it is up")


def test_what_stays_after_down(whole: Whole) -> None:
    paths = (whole.folder / "state").rglob("*.*")
    names = sorted({timeless(str(path.relative_to(whole.folder / "state"))) for path in paths})
    holds("state", {"files": names}, "after `down`")
    assert not any(name.endswith(("inventory.yaml", "base.json", "places.json")) for name in names)


def test_members_of_bundles(whole: Whole) -> None:
    found: dict[str, Any] = {}
    for path in (*whole.folder.glob("*.tar.gz"), *(whole.folder / "state").rglob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                assert file
                name = timeless(member.name.partition("/")[2])
                found[name] = {} if name.endswith("facts.json") else _told(name, file.read().decode())
    holds("bundle", found)


def test_results(whole: Whole) -> None:
    """vLLM's own file is not ours."""
    found = told(texts(whole.folder / "results"))
    holds("results", {name: {} if name.endswith("vllm.json") else keys for name, keys in found.items()})


def test_columns(whole: Whole) -> None:
    results = whole.folder / "results"
    table = whole.run("csv", "bench", "report", results / "a", "--output", "csv")
    pages = [
        whole.run("markdown", "bench", "report", results / "a", "--output", "markdown"),
        whole.run("compared", "bench", "compare", results / "a", results / "b", "--output", "markdown"),
    ]
    heads = [row for page in pages for row, rule in zip(page.splitlines(), page.splitlines()[1:], strict=False)
             if rule.startswith("| ---")]  # fmt: skip
    holds("columns", {"csv": next(csv.reader(StringIO(table))), "markdown": sorted(set(heads))})
