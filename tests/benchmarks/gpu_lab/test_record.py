"""Steps: bounded, kept, and never the end of those behind them."""

import json
import tarfile
import threading
from pathlib import Path

import pytest

from benchmarks.gpu_lab.record import Record
from tests.sandbox.own_sandbox import exists
from tests.timing import eventually


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "out", tmp_path / "details", 60)


def _summary(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / "out/summary.json").read_text())
    return found


def test_what_a_step_said_is_kept_and_its_status_written(record: Record, tmp_path: Path) -> None:
    done = record.step("a step", ["sh", "-c", "echo out; echo err >&2; exit 3"], 10, environ={"X": "1"})
    assert (done.status, done.out, done.well, record.well) == (3, "out\n", False, False)
    assert (tmp_path / "details/001-a-step.err").read_text() == "err\n"
    assert "exit 3" in (tmp_path / "out/summary.txt").read_text()
    assert _summary(tmp_path)["steps"] == [
        {"name": "a step", "status": 3, "seconds": done.seconds, "remark": "", "may_fail": False},
    ]


def test_a_step_that_takes_too_long_is_ended_with_its_children(record: Record) -> None:
    stubborn = "(trap '' TERM; echo $(exec sh -c 'echo $PPID'); sleep 60 & wait) & wait"
    done = record.step("long", ["sh", "-c", stubborn], 0.5)
    assert (done.status, done.remark) == (None, "timed out")
    eventually(lambda: not exists(int(done.out)))


def test_without_time_a_step_is_skipped_but_for_what_must_be(tmp_path: Path) -> None:
    record = Record(tmp_path / "out", tmp_path / "details", 5)
    assert record.step("not now", ["true"], 10, keep=60).remark == "skipped"
    assert record.step("down", ["true"], 10, keep=60, least=5).well


def test_an_answer_that_is_an_error_does_not_spoil_the_rest(record: Record) -> None:
    record.step("ask", ["false"], 10, may_fail=True)
    assert record.well
    record.step("act", ["false"], 10)
    assert not record.well


def test_a_program_that_is_not_there_does_not_end_the_run(record: Record) -> None:
    assert "not run" in record.step("none", ["/no/such/program"], 5).remark


def test_all_of_it_is_three_files(record: Record, tmp_path: Path) -> None:
    threads = [threading.Thread(target=record.step, args=(f"s{i}", ["true"], 10)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record.figure("f", {"x": 1})
    record.keep("note.txt", "kept")
    record.close()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "summary.json", "summary.txt", "details.tar.gz",
    }  # fmt: skip
    with tarfile.open(tmp_path / "out/details.tar.gz") as archive:
        assert len([name for name in archive.getnames() if name.endswith(".out")]) == 8
        assert "details/note.txt" in archive.getnames()
    assert _summary(tmp_path)["figures"] == {"f": {"x": 1}}
