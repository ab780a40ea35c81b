"""`logs`: which lines come out, from where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.command import Command
from cluster.errors import ClusterError, Unreachable
from orchestrator.commands import logs
from orchestrator.outcome.output import print_error
from tests.cluster.launch.test_unit import sent
from tests.doubles import Answer, ScriptedChannel, ScriptedTransport, failed
from tests.orchestrator.commands.program import run
from tests.timing import LIMIT

Captured = pytest.CaptureFixture[str]
LOST = Unreachable("gpu-a", "connect", cause="no route")


def said(source: str, *texts: str) -> list[str]:
    """Returns the output of the program on a host."""
    return ['{"files": 1}', *(json.dumps({"source": source, "text": text}) for text in texts)]


def hosts(a: Answer, b: Answer) -> dict[str, ScriptedTransport]:
    return {"gpu-a": ScriptedTransport({"tail": a}), "gpu-b": ScriptedTransport({"tail": b})}


A, B = "\n".join(said("vllm", "one", "", "two")), "\n".join(said("ray", "three"))


def test_of_several_hosts_with_where_they_come_from(tmp_path: Path, capsys: Captured) -> None:
    assert run(hosts(A, B), tmp_path, "logs") == 0
    lines = "gpu-a vllm | one\ngpu-a vllm | \ngpu-a vllm | two\ngpu-b ray | three\n"
    assert capsys.readouterr() == (lines, "")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["gpu-b", "--unit", "ray"], "three\n"),
        (["gpu-b"], "gpu-b ray | three\n"),
        (["gpu-b", "--unit", "ranks"], "gpu-b ray | three\n"),
    ],
)
def test_of_one_source_as_they_stand(tmp_path: Path, capsys: Captured, words: list[str], shown: str) -> None:
    assert run(hosts(A, B), tmp_path, "logs", *words) == 0
    assert capsys.readouterr().out == shown


def test_what_is_asked_for(tmp_path: Path) -> None:
    asked = hosts(A, B)
    run(asked, tmp_path, "logs", "gpu-b", "--unit", "vllm", "--lines", "7")
    assert asked["gpu-a"].executed == []
    (command,) = asked["gpu-b"].executed
    assert (sent(command)["files"], sent(command)["lines"]) == ([["vllm/log", "vllm"]], 7)


def test_nothing_in_them_acts_on_the_terminal(tmp_path: Path, capsys: Captured) -> None:
    junk = "\n".join(said("vllm", "\x1b[2J\x1b]0;title\x07red\x07", "10%\r20%", "\0\ufffd"))
    assert run(hosts(junk, B), tmp_path, "logs", "gpu-a", "--unit", "vllm") == 0
    assert capsys.readouterr().out == "red\\x07\n20%\n\\x00\ufffd\n"


def test_a_host_without_logs_and_one_that_is_lost(tmp_path: Path, capsys: Captured) -> None:
    assert run(hosts(LOST, '{"files": 0}'), tmp_path, "logs") == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("✗ gpu-a: could not connect (unreachable)\n  cause  no route\n· gpu-b: no log of ray or vllm\n")
    assert run(hosts(LOST, B), tmp_path, "logs") == 4
    assert capsys.readouterr().out == "gpu-b ray | three\n"
    assert run(hosts(A, failed(127, "python3: not found")), tmp_path, "logs") == 5


def test_json_lines(tmp_path: Path, capsys: Captured) -> None:
    assert run(hosts(LOST, "\n".join(said("vllm", "\x07"))), tmp_path, "logs", "--output", "json") == 4
    out, err = capsys.readouterr()
    assert json.loads(out) == {"host": "gpu-b", "source": "vllm", "text": "\x07", "schema_version": 1}
    assert json.loads(err)["kind"] == "Unreachable"


class Endless(ScriptedChannel):
    """Says its lines, then `then` happens, and then nothing more comes until it is hung up on."""

    def __init__(self, lines: list[str], then: Callable[[], object] = lambda: None) -> None:
        super().__init__(lines)
        self._then = then
        self._pause = threading.Event()

    def read_line(self, timeout: float) -> str | None:
        try:
            return super().read_line(timeout)
        except EOFError:
            self._then()
            self._then = lambda: None
            self._pause.wait(0.01)
            if self.closed:
                raise
            return None

    def close(self) -> None:
        super().close()
        self._pause.set()


class Following(ScriptedTransport):
    """Hanging up ends what runs, as a lost connection does."""

    def __init__(self, channel: ScriptedChannel | Exception) -> None:
        super().__init__()
        self._channel = channel

    def open(self, command: Command) -> ScriptedChannel:
        if isinstance(self._channel, Exception):
            raise self._channel
        return self._channel

    def close(self) -> None:
        if isinstance(self._channel, ScriptedChannel):
            self._channel.close()


def ctrl_c_after(what: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        assert what.wait(LIMIT)
        os.kill(os.getpid(), signal.SIGINT)

    return wait


def test_following_goes_on_until_ctrl_c(tmp_path: Path, capsys: Captured) -> None:
    told = threading.Event()
    last = Endless(said("ray", "two"), ctrl_c_after(told))
    channels = Endless(said("vllm", "one"), told.set), last
    transports = dict(zip(("gpu-a", "gpu-b"), map(Following, channels), strict=True))
    assert run(transports, tmp_path, "logs", "--follow") == 0
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == ["gpu-a vllm | one", "gpu-b ray | two"]
    assert err == ""


def test_a_lost_host_does_not_end_the_following_of_others(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained = threading.Event()

    def explain_and_say_so(error: ClusterError) -> None:
        print_error(error)
        explained.set()

    monkeypatch.setattr(logs, "print_error", explain_and_say_so)
    other = Endless(said("ray", "two"), ctrl_c_after(explained))
    transports = {"gpu-a": Following(LOST), "gpu-b": Following(other)}
    assert run(transports, tmp_path, "logs", "--follow") == 4
    out, err = capsys.readouterr()
    assert out == "gpu-b ray | two\n"
    assert err.startswith("✗ gpu-a: could not connect (unreachable)\n")


def test_following_ends_when_every_host_is_lost(tmp_path: Path, capsys: Captured) -> None:
    broken = ScriptedChannel(said("ray", "two"), failed(-1))
    assert run({"gpu-a": Following(LOST), "gpu-b": Following(broken)}, tmp_path, "logs", "--follow") == 4
    err = capsys.readouterr().err
    assert "✗ gpu-b: could not follow the logs (unreachable)\n  cause  the connection broke\n" in err


def test_following_ends_when_nobody_reads(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(text: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(sys.stdout, "write", gone)
    transports = {name: Following(Endless(said("ray", "two"))) for name in ("gpu-a", "gpu-b")}
    assert run(transports, tmp_path, "logs", "--follow") == 0
    assert capsys.readouterr().err == ""


def test_lines_that_cannot_be_written_are_an_error(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        assert run(hosts(A, B), tmp_path, "logs") == 1
    assert "failed to write the result to stdout" in capsys.readouterr().err
