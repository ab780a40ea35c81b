"""A bundle of what is known: what goes into it, and what a run that fails does with it."""

from __future__ import annotations

import os
import stat
import tarfile
import time
from pathlib import Path

import pytest

from cluster.errors import ClusterError, FleetError, LeaseHeld, NotReady, PreflightFailed, Unreachable
from cluster.values import Lease
from cluster.views import HostView
from orchestrator.events import HostMessage
from orchestrator.session.support_bundle import SupportBundle, after_failure
from tests.cluster.diagnosis.test_collect import line
from tests.doubles import Script
from tests.orchestrator.scripted_stage import ScriptedRun, scripted_run

LOST = Unreachable("gpu-b", "collect evidence", cause="no route")


SAID_BY_B = line("vllm/log", "said by b\n")


def diagnosis(folder: Path, *, b: Script = SAID_BY_B) -> tuple[SupportBundle, ScriptedRun]:
    said: dict[str, Script] = {"gpu-a": line("vllm/log", "said by a\n"), "gpu-b": b}
    play = scripted_run(lambda name: {"collect": said[name]})
    return SupportBundle(play.stage.inventory, play.stage.fleet, folder), play


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        files = {name.partition("/")[2]: archive.extractfile(name) for name in archive.getnames()}
        return {name: file.read().decode() for name, file in files.items() if file}


def test_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "20261126T171000-up.jsonl").write_text('{"event": "run_started"}\n')
    one, play = diagnosis(tmp_path)
    made = one.write(tmp_path / "demo.tar.gz", play.stage.seen, 1.0, "it died")
    found = contents(made.path)
    assert found["gpu-a/vllm/log"] == "said by a\n"
    assert found["gpu-b/vllm/log"] == "said by b\n"
    assert found["failure.txt"] == "it died\n"
    assert found["journal/20261126T171000-up.jsonl"] == '{"event": "run_started"}\n'
    assert "Nothing is missing." in found["README.txt"]
    assert (made.texts, made.missing, made.problems) == ({"gpu-a": 1, "gpu-b": 1}, (), ())
    about = made.path.stat()
    assert (made.size, stat.S_IMODE(about.st_mode)) == (about.st_size, 0o600)


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    one, play = diagnosis(tmp_path)
    (tmp_path / "taken.tar.gz").mkdir()
    with pytest.raises(OSError, match="directory"):
        one.write(tmp_path / "taken.tar.gz", play.stage.seen, 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.tar.gz"]


def test_of_a_long_journal_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.session.support_bundle._JOURNAL_BYTES", 10)
    (tmp_path / "1-up.jsonl").write_text("first\nsecond\nthird\n")
    one, play = diagnosis(tmp_path)
    made = one.write(tmp_path / "demo.tar.gz", play.stage.seen, 1.0)
    assert contents(made.path)["journal/1-up.jsonl"] == "third\n"


def test_hosts_that_are_lost_are_named_and_hide_nothing(tmp_path: Path) -> None:
    one, play = diagnosis(tmp_path, b=LOST)
    made = one.write(tmp_path / "demo.tar.gz", play.stage.seen, 1.0)
    assert made.missing == ("gpu-b: no route",)
    assert made.problems == (LOST,)
    assert "- gpu-b: no route" in contents(made.path)["README.txt"]
    never = {**play.stage.seen, "gpu-b": HostView("gpu-b", problem=LOST)}
    again = one.write(tmp_path / "again.tar.gz", never, 1.0)
    assert (again.texts, again.problems) == ({"gpu-a": 1}, (LOST,))
    assert again.missing == ("gpu-b: it could not be inspected: no route",)
    told = contents(again.path)["README.txt"]
    assert "- gpu-b: it could not be inspected: no route" in told
    assert "Nothing is missing." not in told


def failed(folder: Path, error: BaseException, **more: Script) -> ScriptedRun:
    one, play = diagnosis(folder, **more)
    after_failure(one, folder / "20261126T171000-up.tar.gz", play.stage.sink)(play.stage, error)
    return play


def test_a_failure_names_its_bundle(tmp_path: Path) -> None:
    error = NotReady("the engine", 3.0, cause="it died")
    play = failed(tmp_path, error)
    path = tmp_path / "20261126T171000-up.tar.gz"
    assert error.__notes__ == [f"evidence from every host is in {path}"]
    assert "cause  it died" in contents(path)["failure.txt"]
    assert play.events_of(HostMessage) == [HostMessage("", "collecting evidence from the hosts (Ctrl-C skips it)")]


@pytest.mark.parametrize(
    "error", [PreflightFailed([]), LeaseHeld("demo", Lease("anna", "desk", "2026-11-26T17:10:00+00:00", "up"))]
)
def test_of_what_is_said_already_none_is_made(tmp_path: Path, error: ClusterError) -> None:
    assert failed(tmp_path, error).events == []
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_it_out(tmp_path: Path) -> None:
    error = FleetError([LOST])
    play = failed(tmp_path, error, b=KeyboardInterrupt())
    assert not hasattr(error, "__notes__")
    assert play.events_of(HostMessage)[-1].line == "evidence from the hosts was skipped"


@pytest.mark.parametrize("b", [line("vllm/log", "x"), ZeroDivisionError("a fault of ours")])
def test_what_goes_wrong_with_it_does_not_stand_in_for_the_failure(tmp_path: Path, b: Script) -> None:
    error = NotReady("the engine", 3.0)
    folder = tmp_path / "nowhere" if isinstance(b, str) else tmp_path
    failed(folder, error, b=b)
    (note,) = error.__notes__
    assert note.startswith("evidence from the hosts could not be saved: ")


def test_the_newest_is_kept_though_a_clock_was_ahead(tmp_path: Path) -> None:
    """Five failures while it was, by their names and by the times of their files; then two more."""
    ahead = time.time() + 3600
    for number in range(5):
        path = tmp_path / f"20991231T00000{number}-up.tar.gz"
        path.touch()
        os.utime(path, (ahead, ahead))
    (tmp_path / "20261126T160000-up.tar.gz").touch()
    failed(tmp_path, NotReady("the engine", 3.0))
    kept = {path.name for path in tmp_path.glob("*.tar.gz")}
    assert len(kept) == 5
    assert {"20261126T160000-up.tar.gz", "20261126T171000-up.tar.gz"} <= kept


def test_journals_of_a_clock_that_was_ahead_do_not_displace_this_one(tmp_path: Path) -> None:
    ahead = time.time() + 3600
    for number in range(5):
        path = tmp_path / f"20991231T00000{number}-up.jsonl"
        path.write_text("{}\n")
        os.utime(path, (ahead, ahead))
    (tmp_path / "20261126T171000-up.jsonl").write_text("{}\n")
    one, play = diagnosis(tmp_path)
    assert "journal/20261126T171000-up.jsonl" in contents(
        one.write(tmp_path / "a.tar.gz", play.stage.seen, 1.0).path
    )


def test_the_last_few_are_kept(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"2026010{number}T000000-up.tar.gz").touch()
    failed(tmp_path, NotReady("the engine", 3.0))
    kept = sorted(path.name for path in tmp_path.glob("*.tar.gz"))
    assert len(kept) == 5
    assert kept[-1] == "20261126T171000-up.tar.gz"
