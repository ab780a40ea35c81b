"""`exec`: what comes out where, and the exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.command import Command, Result
from cluster.errors import Unreachable
from tests.doubles import Answer, ScriptedTransport, failed
from tests.orchestrator.commands.program import run
from tests.timing import LIMIT

Captured = pytest.CaptureFixture[str]
LOST = Unreachable("gpu-b", "connect", cause="no route")
GOOD, BAD = Result(0, "one\n\ntwo", ""), failed(3, "what?\n", "half\n")
LATE = Result(137, "half\n", "")


def execute(folder: Path, a: Answer, b: Answer, *words: str) -> int:
    hosts = {"gpu-a": ScriptedTransport({"execute": a}), "gpu-b": ScriptedTransport({"execute": b})}
    return run(hosts, folder, "exec", *words, "--", "ls")


def test_several_hosts_in_their_order(tmp_path: Path, capsys: Captured) -> None:
    assert execute(tmp_path, GOOD, "three\n") == 0
    assert capsys.readouterr() == ("gpu-a | one\ngpu-a | \ngpu-a | two\ngpu-b | three\n", "")


def test_one_host_as_it_came(tmp_path: Path, capsys: Captured) -> None:
    assert execute(tmp_path, failed(3, "\x1b[31mwhat?", "a\r\n\n"), GOOD, "gpu-a") == 3
    assert capsys.readouterr() == ("a\r\n\n", "\x1b[31mwhat?")


def test_a_terminal_obeys_nothing(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert execute(tmp_path, "\x1b]0;title\x07a\x07\n\nb\n", GOOD, "gpu-a") == 0
    assert capsys.readouterr().out == "a\\x07\n\nb\n"


@pytest.mark.parametrize(
    ("a", "b", "code", "said"),
    [
        (GOOD, BAD, 5, "gpu-b | what?\n✗ gpu-b: exit status 3\n"),
        (BAD, BAD, 5, "✗ gpu-a: exit status 3\ngpu-b | what?\n✗ gpu-b: exit status 3\n"),
        (BAD, LOST, 4, "✗ gpu-a: exit status 3\n✗ gpu-b: could not connect (unreachable)\n  cause  no route\n"),
    ],
)
def test_each_failure_is_named(
    tmp_path: Path, capsys: Captured, a: Answer, b: Answer, code: int, said: str
) -> None:
    assert execute(tmp_path, a, b) == code
    assert capsys.readouterr().err.endswith(said)


@pytest.mark.parametrize(
    ("answer", "code"), [(GOOD, 0), (failed(1), 1), (failed(127), 127), (failed(124), 124), (LOST, 4)]
)
def test_the_exit_code_of_one_host_is_its_own(tmp_path: Path, answer: Answer, code: int) -> None:
    assert execute(tmp_path, GOOD, answer, "gpu-b") == code


@pytest.mark.parametrize("words", [(), ("gpu-b",)])
def test_the_end_of_its_time_is_said(tmp_path: Path, capsys: Captured, words: tuple[str, ...]) -> None:
    assert execute(tmp_path, GOOD, LATE, "--timeout", "0.000000001", *words) == 5
    shown = capsys.readouterr()
    assert shown.out.endswith("half\n")
    assert (
        "✗ gpu-b: could not run ls (timed out)\n  cause  the command did not finish within 1e-09 s\n" in shown.err
    )


class Talkative(ScriptedTransport):
    """A host with 19 MiB to say, the last line without an end."""

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        assert on_text
        for _ in range(256):
            on_text(("x" * 1023 + "\n") * 64)
        on_text("x" * (3 << 20))
        return Result(0, "", "")


@pytest.mark.parametrize(("words", "size"), [(("gpu-a",), 0), ((), len("gpu-a | "))])
def test_however_much_a_host_says_it_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], size: int
) -> None:
    hosts = {"gpu-a": Talkative(), "gpu-b": ScriptedTransport({"execute": Result(0, "", "")})}
    result = tmp_path / "result"
    tracemalloc.start()
    with result.open("w") as stdout, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stdout)
        assert run(hosts, tmp_path, "exec", *words, "--", "ls") == 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    end = 1 if words == () else 0
    assert result.stat().st_size == (16 << 10) * (1024 + size) + size + (3 << 20) + end
    assert peak < 12 << 20


def test_one_json_document(tmp_path: Path, capsys: Captured) -> None:
    assert execute(tmp_path, BAD, LOST, "--output", "json") == 4
    shown = capsys.readouterr()
    assert shown.err == ""
    found = json.loads(shown.out)
    assert found["command"] == ["ls"]
    bad, lost = found["hosts"]
    assert bad == {"host": "gpu-a", "status": 3, "stdout": "half\n", "stderr": "what?\n", "problem": None}
    assert (lost["host"], lost["status"], lost["problem"]["kind"]) == ("gpu-b", None, "Unreachable")


def test_a_host_that_the_cluster_does_not_have(tmp_path: Path, capsys: Captured) -> None:
    assert execute(tmp_path, GOOD, GOOD, "gpu-c") == 2
    assert capsys.readouterr().err == "✗ demo has no host gpu-c\n  next   its hosts are gpu-a, gpu-b\n"


class Hanging(ScriptedTransport):
    """Somebody presses Ctrl-C while the command runs."""

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        os.kill(os.getpid(), signal.SIGINT)
        self._hung_up = threading.Event()
        self._hung_up.wait(LIMIT)
        return Result(0, "", "")

    def close(self) -> None:
        self._hung_up.set()


def test_ctrl_c_says_what_may_go_on(tmp_path: Path, capsys: Captured) -> None:
    hosts = {"gpu-a": Hanging(), "gpu-b": ScriptedTransport({"execute": GOOD})}
    assert run(hosts, tmp_path, "exec", "gpu-a", "--timeout", "7", "--", "ls") == 130
    assert "✗ interrupted\n  cause  its processes may keep running, for 7 s at most\n" in capsys.readouterr().err


def test_output_that_cannot_be_written_is_an_error(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        assert execute(tmp_path, GOOD, "three\n") == 1
    assert "failed to write the result to stdout" in capsys.readouterr().err
