"""Units launched under a keeper: what runs, what is written down, and what is not."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.errors import CommandFailed
from cluster.launch import unit
from cluster.remote.common.processes import boot_id, command_line, process
from cluster.values import Presence
from tests.cluster.remote.cell import FOREVER, HOST, Cell, after, kill, without_disk
from tests.cluster.remote.local import VENV, here
from tests.timing import eventually

SHOW = (sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)), flush=True)")


def test_a_launch_returns_once_it_runs(cell: Cell) -> None:
    one = cell.launch(FOREVER)
    record = cell.record()
    keeper = process(record["keeper"])
    assert keeper is not None
    assert (keeper.session, keeper.ticks, record["boot"]) == (keeper.pid, record["ticks"], boot_id())
    assert (record["cluster"], record["host"], record["unit"]) == ("demo", "here", "vllm")
    assert (record["argv"], record["fingerprint"]) == (list(FOREVER), one.fingerprint)
    assert record["status"] is None
    assert {"sleep 600"} < {command_line(pid) for pid in cell.pids()}
    assert cell.look().presence is Presence.ALIVE


def test_folders_and_files_are_ours_alone(cell: Cell) -> None:
    cell.launch(FOREVER)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [*cell.folder().parents, *cell.folder().iterdir()]}
    assert {modes[name] for name in ("o-0", "0123abcd")} == {0o700}
    assert {modes[name] for name in ("record.json", "log")} == {0o600}


SAY_IMPORTED = "import ours_alone, sys; print(ours_alone.WORD, sys.path, flush=True)"


@pytest.mark.parametrize("before", [(), (("PYTHONPATH", "/somewhere"),)])
def test_a_unit_can_import_what_came_with_its_launch(cell: Cell, before: tuple[tuple[str, str], ...]) -> None:
    modules = (("ours_alone", "WORD = 'imported'\n"),)
    cell.launch((sys.executable, "-c", SAY_IMPORTED), env=before, modules=modules)
    cell.says("imported")
    assert ("/somewhere" in cell.log()) is bool(before)
    folder = cell.folder() / "modules"
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "ours_alone.py")] == [0o700, 0o600]
    assert "modules" not in cell.record()


def test_nothing_of_ours_holds_the_channel(cell: Cell) -> None:
    """`launch` would not have returned otherwise; and nothing reads the terminal."""
    cell.launch(("sh", "-c", "read x; echo read $?; exec sleep 600"))
    cell.says("read 1")
    keeper = cell.record()["keeper"]
    assert {os.readlink(f"/proc/{keeper}/fd/{number}") for number in (0, 1, 2)} == {"/dev/null"}


def ageing(cell: Cell) -> bool:
    """Whether systemd-tmpfiles would look into our tree: it tries this very lock on the top of it.

    Threads of a keeper that was just killed may have it a moment longer.
    """
    top = os.open(Path(cell.state).parent, os.O_RDONLY)
    try:
        fcntl.flock(top, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(top)
    return True


def test_what_ages_files_leaves_those_of_a_living_unit(cell: Cell) -> None:
    cell.launch(FOREVER)
    eventually(lambda: not ageing(cell))
    assert cell.stop() == []
    eventually(lambda: ageing(cell))


def test_only_the_keeper_holds_that_lock(cell: Cell) -> None:
    """A leader that outlives its keeper is a leftover, and looks like one."""
    cell.launch(FOREVER)
    eventually(lambda: not ageing(cell))
    kill({cell.record()["keeper"]})
    eventually(lambda: ageing(cell))
    assert cell.pids()


def test_somebody_who_has_that_lock_delays_nothing(cell: Cell) -> None:
    top = Path(cell.state).parent
    top.mkdir()
    file = os.open(top, os.O_RDONLY)
    fcntl.flock(file, fcntl.LOCK_EX)
    cell.launch(FOREVER)
    assert cell.look().alive
    os.close(file)
    eventually(lambda: not ageing(cell))


def test_output_goes_to_the_log(cell: Cell) -> None:
    cell.launch(("sh", "-c", "echo out; echo err >&2"))
    cell.says("out\nerr\n")


def test_what_ended_leaves_its_status(cell: Cell) -> None:
    cell.launch(("sh", "-c", "exit 3"))
    eventually(lambda: not cell.pids())
    assert cell.record()["status"] == 3
    look = cell.look()
    assert (look.presence, look.status) == (Presence.DEAD, 3)


def test_a_signal_is_a_negative_status(cell: Cell) -> None:
    cell.launch(("sh", "-c", "kill -9 $$"))
    eventually(lambda: not cell.pids())
    assert cell.record()["status"] == -9


def test_the_environment(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_SESSION", "stays")
    monkeypatch.setenv("BOTH", "session")
    shell = ("sh", "-c", 'echo "$OF_THE_SESSION,$BOTH,$SECRET_KEY,$PATH"; ulimit -Sn; ulimit -Hn; pwd')
    here().run(unit.launch(cell.unit(shell, env=(("BOTH", "ours"),), secrets=(("SECRET_KEY", "hush"),)), VENV))
    eventually(lambda: not cell.pids())
    variables, soft, hard, folder = cell.log().splitlines()
    assert variables.startswith(f"stays,ours,hush,{VENV}/bin:")
    assert soft == hard
    assert folder == str(cell.folder())


def test_secrets_are_written_nowhere(cell: Cell) -> None:
    cell.launch(FOREVER, secrets=(("HF_TOKEN", "hush-hush-hush"),), env=(("A", "1"),))
    assert cell.record()["env"] == {"A": "1"}
    written = [path.read_text() for path in Path(cell.state).rglob("*") if path.is_file()]
    lines = [command_line(int(name)) for name in filter(str.isdigit, os.listdir("/proc"))]
    assert not any("hush-hush-hush" in text for text in written + lines)


def test_a_second_launch_is_refused(cell: Cell) -> None:
    cell.launch(FOREVER)
    before = cell.record()
    with pytest.raises(CommandFailed) as caught:
        cell.launch(FOREVER)
    assert "already runs" in caught.value.output
    assert caught.value.cause == "another launch has started this unit"
    assert cell.record() == before


def test_of_many_launches_at_once_one_wins(cell: Cell) -> None:
    def launch(_: int) -> bool:
        try:
            HOST.run(unit.launch(cell.unit(FOREVER), VENV))
        except CommandFailed:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(launch, range(6))) == 1
    assert len([pid for pid in cell.pids() if command_line(pid) == "sleep 600"]) == 1


def test_the_log_begins_empty_and_older_ones_are_kept(cell: Cell) -> None:
    for number in range(7):
        cell.launch(("echo", f"launch {number}"))
        eventually(lambda: not cell.pids())
    logs = {path.name: path.read_text().strip() for path in cell.folder().glob("log*")}
    assert logs == {"log": "launch 6", **{f"log.{age}": f"launch {6 - age}" for age in range(1, 5)}}


def test_what_cannot_be_run_is_said(cell: Cell) -> None:
    with pytest.raises(CommandFailed) as caught:
        cell.launch(("/nowhere/bin/vllm", "serve"))
    assert caught.value.output == "/nowhere/bin/vllm: No such file or directory"
    assert caught.value.cause == "the venv of this host does not have the program"
    eventually(lambda: not cell.pids())
    assert cell.record()["status"] == 127
    assert cell.look().presence is Presence.DEAD
    cell.launch(FOREVER)
    assert cell.look().presence is Presence.ALIVE


@pytest.mark.parametrize(
    ("value", "reason"),
    [("a\0b", "ValueError: embedded null byte"), ("\ud800", "UnicodeEncodeError: ")],
)
def test_words_that_no_program_can_be_given_are_said(cell: Cell, value: str, reason: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        cell.launch(FOREVER, env=(("A", value),))
    assert caught.value.output.startswith(f"sleep: {reason}")
    eventually(lambda: not cell.pids())
    assert cell.record()["status"] == 127


def test_whatever_else_stops_the_keeper_is_said(cell: Cell) -> None:
    broken = "import os\ndef setsid(): raise ValueError('no session')\nos.setsid = setsid"
    with pytest.raises(CommandFailed) as caught:
        HOST.run(after(broken, unit.launch(cell.unit(FOREVER), VENV)))
    assert caught.value.output == "keeper: ValueError: no session"


@pytest.mark.parametrize("error", ["ValueError('above the limit')", "OSError(1, 'not permitted')"])
def test_a_limit_that_cannot_be_raised_is_no_failure(cell: Cell, error: str) -> None:
    """The kernel refuses it where a hard limit is above fs.nr_open."""
    refusing = f"import resource\ndef refuse(*_): raise {error}\nresource.setrlimit = refuse"
    HOST.run(after(refusing, unit.launch(cell.unit(FOREVER), VENV)))
    assert cell.look().alive


def test_a_folder_of_somebody_else_is_refused(cell: Cell, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "o-0").symlink_to(tmp_path / "theirs")
    with pytest.raises(CommandFailed) as caught:
        cell.launch(FOREVER)
    assert caught.value.output.endswith("o-0 is a symbolic link of user root")
    assert caught.value.cause == "the state directory is not private to this user"
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_record_that_cannot_be_written_is_said(cell: Cell) -> None:
    with pytest.raises(CommandFailed) as caught:
        HOST.run(without_disk(unit.launch(cell.unit(FOREVER), VENV)))
    assert caught.value.output == "keeper: File too large"
    assert cell.pids() == set()
    assert list(cell.folder().iterdir()) == []


#: Says more than its log may hold, in numbered lines, and goes on once somebody lets it.
TALKATIVE = """
import os, sys, time
for number in range(300_000):
    print(f"{number:07}")
sys.stdout.flush()
while not os.path.exists("go on"):
    time.sleep(0.02)
print("after", flush=True)
time.sleep(600)
"""


def test_a_log_that_becomes_too_long_is_cut_and_goes_on(cell: Cell) -> None:
    """Its beginning stays, since what the start of an engine said decides for as long as it runs."""
    command = unit.launch(cell.unit((sys.executable, "-c", TALKATIVE)), VENV)
    *source, data = command.stdin.splitlines(keepends=True)
    # Too long with its last byte alone: what comes between the copy and the cut would be lost.
    short = json.dumps({**json.loads(data), "log_bytes": 300_000 * 8 - 1}).encode() + b"\n"
    HOST.run(dataclasses.replace(command, stdin=b"".join(source) + short))
    older = cell.folder() / "log.1"
    eventually(older.exists)
    (cell.folder() / "go on").touch()
    cell.says("after\n")
    assert older.read_text() == "".join(f"{number:07}\n" for number in range(300_000))
    log = cell.log()
    assert log.startswith("0000000\n0000001\n")
    assert len(log) < (1 << 20) + 100
    assert "[what was said here is in log.1]\nafter\n" in log
    assert {path.name for path in cell.folder().glob("log*")} == {"log", "log.1"}
