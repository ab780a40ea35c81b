"""The program that reads logs on a host: the last lines, what comes after them, and its end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.command import json_lines, program, remote_source
from cluster.diagnosis.logs import most_output
from cluster.remote.common.files import LOG_HEAD
from tests.cluster.remote.cell import FOREVER, HOST, Cell
from tests.cluster.remote.local import VENV, LocalChannel
from tests.timing import LIMIT, Stopwatch, eventually

CUT_TO = 1 << 20
FILES = [["vllm/log", "vllm"], ["logs/*.err", ""]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The cluster's folder on this host."""
    made = tmp_path / f"o-{os.getuid()}" / "0123[bcd"
    (made / "vllm").mkdir(parents=True)
    return made


def data(folder: Path, lines: int, follow: bool, silence: float = 60) -> dict[str, Any]:
    where = {"state": str(folder.parent.parent), "folder": folder.name}
    return {**where, "files": FILES, "lines": lines, "follow": follow, "silence": silence}


def read(folder: Path, lines: int = 200) -> tuple[int, list[tuple[str, str]]]:
    """How many files there are, and their lines."""
    command = program("diagnosis.tail", data(folder, lines, False), title="read", venv=VENV)
    first, *rest = json_lines(HOST.run(command).stdout)
    return first["files"], [(one["source"], one["text"]) for one in rest]


@pytest.mark.parametrize(
    ("text", "lines", "last"),
    [
        ("one\ntwo\nthree\n", 2, ["two", "three"]),
        ("one\ntwo\nthree", 2, ["two", "three"]),
        ("one\n\n\n", 2, ["", ""]),
        ("\none\n", 2, ["", "one"]),
        ("one\n", 5, ["one"]),
        ("one\ntwo", 0, []),
        ("", 5, []),
    ],
)
def test_the_last_lines(folder: Path, text: str, lines: int, last: list[str]) -> None:
    (folder / "vllm" / "log").write_text(text)
    assert read(folder, lines) == (1, [("vllm", line) for line in last])


def test_of_a_long_file_the_end_is_found(folder: Path) -> None:
    (folder / "vllm" / "log").write_text("".join(f"{number:07}\n" for number in range(100_000)))
    assert [int(text) for _, text in read(folder, 20_000)[1]] == list(range(80_000, 100_000))


def test_a_file_with_long_lines_leaves_room_for_all(folder: Path) -> None:
    """What is no text takes six bytes each in the answer, of which a caller takes so many."""
    (folder / "logs").mkdir()
    for name in ("a.err", "c.err"):
        (folder / "logs" / name).touch()
        os.truncate(folder / "logs" / name, 1 << 30)
    (folder / "logs" / "b.err").write_text("one\ntwo\n")
    command = program("diagnosis.tail", data(folder, 200, False), title="read", venv=VENV)
    output = HOST.run(replace(command, most=most_output(200))).stdout
    lines = [(one["source"], one["text"]) for one in [*json_lines(output)][1:]]
    assert [text for source, text in lines if source == "b.err"] == ["one", "two"]
    shown = [sum(len(text) for source, text in lines if source == name) for name in ("a.err", "c.err")]
    assert min(shown) > 1 << 19


def test_files_without_a_label_go_by_their_names(folder: Path) -> None:
    (folder / "logs").mkdir()
    for name in ("b.err", "a.err", "a.out"):
        (folder / "logs" / name).write_text(f"of {name}\n")
    assert read(folder) == (2, [("a.err", "of a.err"), ("b.err", "of b.err")])


def test_files_of_ranks_go_by_their_process_and_rays_own_marks_are_left_out(folder: Path) -> None:
    (folder / "logs").mkdir()
    text = ":job_id:02000000\n:actor_name:RayWorkerProc\nloading\n"
    for name in ("worker-0a36f0-0d000000-1322.err", "nccl.gpu-a.lab.77.log.err"):
        (folder / "logs" / name).write_text(text)
    assert read(folder)[1] == [("nccl.gpu-a.lab.77.log.err", "loading"), ("worker 1322 err", "loading")]


def test_what_is_no_text_is_shown_as_such(folder: Path) -> None:
    (folder / "vllm" / "log").write_bytes(b"\xff\x00\x1b[31m\r\n" + b"x" * 200_000 + b"\nthe end")
    lines = [text for _, text in read(folder)[1]]
    assert lines[0] == "�\0\x1b[31m\r"
    assert "".join(lines[1:-1]) == "x" * 200_000
    assert lines[-1] == "the end"


def test_what_is_no_file_is_left_out(folder: Path) -> None:
    assert read(folder) == (0, [])
    (folder / "logs").mkdir()
    os.mkfifo(folder / "logs" / "pipe.err")
    (folder / "logs" / "folder.err").mkdir()
    (folder / "logs" / "gone.err").symlink_to(folder / "nowhere")
    (folder / "logs" / "real.err").write_text("words\n")
    assert read(folder)[1] == [("real.err", "words")]


class Follower:
    """The program under our own hand."""

    def __init__(self, folder: Path, lines: int = 200, silence: float = 60) -> None:
        command = program("diagnosis.tail", data(folder, lines, True, silence), title="follow", venv=VENV)
        self.channel = LocalChannel(command)
        assert "files" in self._next()

    def _next(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.channel.read_line(20) or "null")
        return found

    def hears(self, *texts: str) -> None:
        assert [self._next()["text"] for _ in texts] == list(texts)

    def hears_nothing(self) -> None:
        assert self.channel.read_line(0.5) is None


@pytest.fixture
def log(folder: Path) -> Path:
    path = folder / "vllm" / "log"
    path.write_text("one\ntwo\n")
    return path


@pytest.fixture
def follower(folder: Path, log: Path) -> Iterator[Follower]:
    one = Follower(folder, lines=1)
    one.hears("two")
    yield one
    one.channel.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_new_lines_are_told_once_they_are_whole(follower: Follower, log: Path) -> None:
    append(log, "three\nfo")
    follower.hears("three")
    follower.hears_nothing()
    append(log, "ur\n")
    follower.hears("four")


def test_a_rotated_log_is_read_to_its_end_and_the_new_one_from_its_start(follower: Follower, log: Path) -> None:
    append(log, "last\nwords")
    log.rename(log.with_name("log.1"))
    log.write_text("".join(f"{number}\n" for number in range(5)))
    follower.hears("last", "words", "0", "1", "2", "3", "4")


def test_a_log_that_was_emptied_or_removed_begins_anew(follower: Follower, log: Path) -> None:
    log.write_text("a\n")
    follower.hears("a")
    log.unlink()
    follower.hears_nothing()
    log.write_text("b\n")
    follower.hears("b")


def test_a_log_that_its_keeper_cut_short_is_told_without_a_gap(follower: Follower, log: Path) -> None:
    """Its beginning, which stays, is not told again; what was not read yet is in log.1."""
    long = "x" * 63 + "\n"
    append(log, long * (1 << 15))
    follower.hears(*[long[:-1]] * (1 << 15))
    follower.channel.process.send_signal(signal.SIGSTOP)
    append(log, "unread\n")
    log.with_name("log.1").write_bytes(log.read_bytes())
    os.truncate(log, CUT_TO)
    append(log, "\nafter\n")
    follower.channel.process.send_signal(signal.SIGCONT)
    follower.hears("unread", "", "after")


def test_the_keeper_and_the_tail_agree_on_the_cut() -> None:
    assert LOG_HEAD == CUT_TO
    assert "CUT_TO = 1 << 20\n" in remote_source("diagnosis.tail")


def test_a_new_file_is_told_from_its_start(follower: Follower, folder: Path) -> None:
    (folder / "logs").mkdir()
    (folder / "logs" / "rank.err").write_text("1\n2\n3\n")
    follower.hears("1", "2", "3")


def test_what_is_launched_again_is_followed(cell: Cell, tmp_path: Path) -> None:
    folder = tmp_path / f"o-{os.getuid()}" / "0123abcd"
    cell.state = str(folder)
    cell.launch(("echo", "first"))
    eventually(lambda: not cell.pids())
    follower = Follower(folder)
    try:
        follower.hears("first")
        cell.launch(("sh", "-c", 'echo second; exec "$@"', "sh", *FOREVER))
        follower.hears("second")
    finally:
        follower.channel.close()


def test_it_ends_with_its_stdin(follower: Follower) -> None:
    assert follower.channel.process.stdin
    follower.channel.process.stdin.close()
    with Stopwatch() as watch:
        assert follower.channel.process.wait(LIMIT) == 0
    assert watch.seconds < 2


def test_it_ends_when_its_owner_is_silent(folder: Path) -> None:
    follower = Follower(folder, silence=1)
    for _ in range(8):
        follower.channel.send(b"\n")
        assert follower.channel.read_line(0.2) is None
    assert follower.channel.process.wait(LIMIT) == 0
    follower.channel.close()
