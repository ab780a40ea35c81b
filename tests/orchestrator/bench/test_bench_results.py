"""Folders of results: whole runs or none, and only those that belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.bench.verdict import failed
from cluster.bench.workload import GUIDE, Cell
from cluster.errors import UsageError
from orchestrator.bench.not_kept import NotKept
from orchestrator.bench.results import BenchSettings, Results, kept_runs, open_results, read_result
from tests.cluster.bench.results import run

HOW = BenchSettings(rate=10, cold="salt", origin="head", seed=7)
CELL = Cell(GUIDE[0], 2)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(tmp_path / "results", HOW, seeded=True)


def test_a_run_has_a_folder_of_its_own(results: Results) -> None:
    assert results.valid(CELL) is None
    results.keep(run(), {"vllm.json": "{}", "log.txt": "a wörd"})
    assert results.valid(CELL) == run()
    ((folder, one),) = kept_runs(results.folder)
    assert (folder.name, one) == ("prompt-heavy-0002-1", run())
    assert (folder / "log.txt").read_text(encoding="utf-8") == "a wörd"
    assert read_result(folder) == "{}"
    assert sorted(path.name for path in results.folder.iterdir()) == ["how.json", "prompt-heavy-0002-1"]


def test_another_try_leaves_the_first_where_it_is(results: Results) -> None:
    lost = run(verdict=failed("why"), figures=None)
    results.keep(lost, {})
    assert results.attempt(CELL) == 2
    assert results.valid(CELL) is None
    results.keep(run(attempt=2), {})
    assert results.runs() == (lost, run(attempt=2))
    assert results.valid(CELL) == run(attempt=2)
    assert read_result(results.folder / "prompt-heavy-0002-1.2") is None


def test_it_goes_on_with_its_own_seed(results: Results) -> None:
    again = open_results(results.folder, HOW.model_copy(update={"seed": 8}), seeded=False)
    assert again.settings == HOW


@pytest.mark.parametrize(
    ("change", "said"), [({"rate": 1.0}, "rate 10.0 then, 1.0 now"), ({"seed": 8}, "seed 7 then, 8 now")]
)
def test_what_was_measured_in_another_way_is_not_mixed_with(
    results: Results, change: dict[str, float], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        open_results(results.folder, HOW.model_copy(update=change), seeded=True)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        open_results(tmp_path / "file" / "results", HOW, seeded=True)
    assert caught.value.cause == "Not a directory"


@pytest.mark.parametrize("name", ["how.json", "prompt-heavy-0002-1/run.json"])
def test_a_file_that_nobody_can_read(results: Results, name: str) -> None:
    results.keep(run(), {})
    (results.folder / name).write_text("{")
    with pytest.raises(UsageError, match=r"cannot be read"):
        open_results(results.folder, HOW, seeded=True).runs()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"workload": "foo"}, "workload: unknown workload: foo; use prompt-heavy"),
        ({"schema_version": 2}, "schema_version: Input should be 1"),
        ({"seconds": "long"}, "seconds: Input should be a valid number"),
        ({"conditions": {"cluster": "demo"}}, "conditions.model: Field required"),
        (None, "Invalid JSON: "),
    ],
)
def test_a_run_that_is_damaged_says_where(results: Results, change: dict[str, object] | None, cause: str) -> None:
    results.keep(run(), {})
    path = results.folder / "prompt-heavy-0002-1" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change) if change else "{")
    with pytest.raises(UsageError) as caught:
        results.runs()
    assert caught.value.cause.startswith(cause)
    assert caught.value.cure == "move that folder away, or run the version that wrote it"


def test_a_full_disk_leaves_nothing_half_written(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    results.keep(run(), {})
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NotKept) as caught:
        results.keep(run(attempt=2), {"vllm.json": "{}"})
    assert caught.value.cause == "No space left on device"
    assert "to resume" in caught.value.cure
    assert results.runs() == (run(),)
    assert len(list(results.folder.iterdir())) == 2


def full(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_folder_without_a_run_goes(results: Results, tmp_path: Path) -> None:
    other = open_results(tmp_path / "other", HOW, seeded=True)
    results.keep(run(), {})
    for one in (results, other):
        one.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("")
    open_results(tmp_path / "mine", HOW, seeded=True).abandon()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes"]


def test_the_file_is_one_that_others_can_read(results: Results) -> None:
    results.keep(run(), {})
    found = json.loads((results.folder / "prompt-heavy-0002-1" / "run.json").read_text())
    assert found["verdict"] == {"outcome": "valid", "reasons": [], "notes": []}
    assert found["conditions"]["hosts"][0]["gpus"][0]["name"] == "NVIDIA H100 80GB HBM3"
