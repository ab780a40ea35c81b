"""One look at a unit: presence, what its log has said since, what has been read, its health."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.remote.common.processes import command_line
from cluster.values import Presence
from tests.cluster.http_server import Served, closed_port, serving
from tests.cluster.remote.cell import FOREVER, Cell, kill
from tests.timing import eventually

#: What stays of a Ray is whatever says that it has started; its children are named like those of Ray.
RAY = """#!/bin/sh
cp "$(command -v sleep)" raylet
cp raylet gcs_server
./raylet 600 & ./gcs_server 600 &
echo "Ray runtime started."
exec sleep 600
"""
READS = "import sys, time; open(sys.argv[1], 'rb').read(); print('read', flush=True); time.sleep(600)"


def test_what_was_never_there(cell: Cell) -> None:
    look = cell.look()
    assert (look.presence, look.status, look.offset, look.text) == (Presence.ABSENT, None, 0, "")


def test_the_log_is_read_on(cell: Cell) -> None:
    cell.launch(FOREVER)
    log = cell.folder() / "log"
    log.write_text("one\n")
    first = cell.look()
    assert (first.presence, first.text, first.offset) == (Presence.ALIVE, "one\n", 4)
    log.write_text("one\ntwo\n")
    second = cell.look(offset=first.offset)
    assert (second.text, second.offset) == ("two\n", 8)
    assert cell.look(offset=second.offset).text == ""


def test_a_log_that_began_anew_is_read_from_its_start(cell: Cell) -> None:
    cell.folder().mkdir(parents=True)
    (cell.folder() / "log").write_text("new\n")
    assert cell.look(offset=1000).text == "new\n"


def test_of_a_long_log_the_start_and_the_end_are_read_and_then_only_what_is_new(cell: Cell) -> None:
    """How an engine came up decides how its clients' words are read."""
    cell.folder().mkdir(parents=True)
    log = cell.folder() / "log"
    log.write_bytes(b"it came up\n" + b"x" * (3 << 20) + b"\xff the end")
    look = cell.look()
    first, between, last = look.text.split("\n")
    assert (first, between) == ("it came up", "[a part of the log was left out here]")
    assert len(last) == 1 << 20
    assert last.endswith("� the end")
    assert look.offset == log.stat().st_size
    with log.open("a") as file:
        file.write("more")
    assert cell.look(offset=look.offset).text == "more"


def test_what_the_whole_tree_has_read_counts(cell: Cell, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(5 << 20))
    cell.launch((sys.executable, "-c", READS, str(big)), name="ray")
    cell.says("read", name="ray")
    assert cell.look("vllm").read >= 5 << 20


@pytest.fixture
def served() -> Iterator[Served]:
    with serving({"/health": (200, ""), "/ill": (503, ""), "/odd": b"SSH-2.0-OpenSSH\r\n"}) as one:
        yield one


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/ill", 503), ("/none", 404), ("/odd", 0)])
def test_its_health(cell: Cell, served: Served, path: str, status: int) -> None:
    assert cell.look(health=served.url(path)).health == status


def test_nobody_answers(cell: Cell) -> None:
    assert cell.look(health=f"http://127.0.0.1:{closed_port()}/health").health == 0


def test_a_proxy_is_not_asked(cell: Cell, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    assert cell.look(health=served.url("/health")).health == 200


def test_one_that_has_died(cell: Cell) -> None:
    cell.launch(("sh", "-c", "echo last words; exit 5"))
    eventually(lambda: not cell.pids())
    look = cell.look()
    assert (look.alive, look.status, look.text) == (False, 5, "last words\n")


@pytest.mark.parametrize(
    ("words", "killed", "lost"),
    [
        (("--head",), "raylet", ("raylet",)),
        (("--head",), "gcs_server", ("gcs_server",)),
        (("--address=head:6379",), "raylet", ("raylet",)),
        (("--address=head:6379",), "gcs_server", ()),
    ],
)
def test_a_ray_that_stays_without_what_it_needs(
    cell: Cell, tmp_path: Path, words: tuple[str, ...], killed: str, lost: tuple[str, ...]
) -> None:
    program = tmp_path / "ray"
    program.write_text(RAY)
    program.chmod(0o755)
    cell.launch((str(program), "start", *words), name="ray")
    cell.says("started", name="ray")
    assert cell.look("ray").alive
    kill(pid for pid in cell.pids("ray") if command_line(pid).startswith(f"./{killed}"))
    found = cell.look("ray")
    assert (found.alive, found.lost) == (not lost, lost)


def test_a_ray_that_has_not_started_yet_lacks_nothing(cell: Cell, tmp_path: Path) -> None:
    program = tmp_path / "ray"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    cell.launch((str(program), "start", "--head"), name="ray")
    assert cell.look("ray").alive
