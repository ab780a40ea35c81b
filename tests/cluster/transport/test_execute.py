"""An operator's own command: its words, its surroundings, and every way in which it may end."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from cluster.command import Command, Result
from cluster.errors import CommandTimedOut, TooMuchOutput, Unreachable
from cluster.transport.execute import command, execute, stdout_file
from cluster.transport.host import Host
from cluster.views import Executed
from tests.cluster.remote.local import VENV, here
from tests.doubles import Answer, ScriptedTransport, failed


def executed(host: Host, command: Command) -> Executed:
    with stdout_file() as stdout:
        ended = execute(host, command, stdout)
        return replace(ended, stdout=stdout.read())


def run(*words: str, timeout: float = 20.0) -> Executed:
    """On this machine, for real."""
    return executed(here(), command(words, VENV, timeout))


def scripted(answer: Answer, timeout: float = 20.0) -> Executed:
    return executed(Host("gpu-a", ScriptedTransport({"execute": answer})), command(("ls",), VENV, timeout))


def test_the_words_arrive_as_they_are() -> None:
    words = ("a b", "$HOME", "`id`", "'", '"', "\\", "*", "", "a\nb", "; exit 3", "-c", "ümlaut")
    show = "import sys; print('|'.join(sys.argv[1:]))"
    assert run(sys.executable, "-c", show, *words).stdout == "|".join(words) + "\n"


def test_the_programs_of_the_venv_come_first() -> None:
    assert run("sh", "-c", "command -v python").stdout == f"{VENV}/bin/python\n"


def test_there_is_no_stdin() -> None:
    assert run("cat") == Executed("here", 0)


def test_both_streams_and_the_status_are_kept_apart() -> None:
    ended = run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert ended == Executed("here", 3, "out\n", "err\n")


@pytest.mark.parametrize(("word", "status"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_run(word: str, status: int) -> None:
    ended = run(word)
    assert ended.status == status
    assert word in ended.stderr


def test_the_end_of_its_time_is_told_with_what_it_said() -> None:
    ended = run("sh", "-c", "echo out; echo err >&2; exec sleep 600", timeout=0.5)
    assert (ended.status, ended.stdout, ended.stderr) == (None, "out\n", "err\n")
    assert isinstance(ended.problem, CommandTimedOut)
    assert ended.problem.cause == "the command did not finish within 0.5 s"
    assert ended.problem.output == ""


def test_one_that_hears_no_signal_ends_as_well() -> None:
    ended = scripted(failed(137, stdout="out\n"), timeout=0)
    assert (ended.status, ended.stdout, ended.stderr) == (None, "out\n", "")
    assert isinstance(ended.problem, CommandTimedOut)


@pytest.mark.parametrize("status", [124, 137])
def test_a_status_that_looks_like_the_end_of_its_time_is_its_own(status: int) -> None:
    assert run("sh", "-c", f"echo out; exit {status}") == Executed("here", status, "out\n")


def test_a_lost_host() -> None:
    lost = Unreachable("gpu-a", "connect", cause="no route")
    assert scripted(lost) == Executed("gpu-a", None, problem=lost)
    broken = scripted(failed(-1, stdout="out\n"))
    assert (broken.status, broken.stdout) == (None, "out\n")
    assert isinstance(broken.problem, Unreachable)


def test_one_that_never_stops_talking_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.transport.execute._MOST", 100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pieces = ("x" * (1 << 20) for _ in range(101))

    class Endless(ScriptedTransport):
        def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
            assert on_text
            for piece in pieces:
                on_text(piece)
            raise TooMuchOutput("gpu-a", command)

    ended = executed(Host("gpu-a", Endless()), command(("ls",), VENV, 20.0))
    assert (ended.status, ended.stdout) == (None, "")
    assert ended.problem
    assert ended.problem.cause == "the output is larger than 100 MiB"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
