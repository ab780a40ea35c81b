"""A host over a scripted transport."""

from __future__ import annotations

import json

import pytest

from cluster.command import Command, Hint, Probe, Result
from cluster.errors import CommandFailed, CommandTimedOut, HostError, MalformedAnswer, Unreachable
from cluster.transport.host import Host
from cluster.values.base import Fact
from tests.doubles import ScriptedChannel, ScriptedTransport, failed

LOOK = Command(("cat", "/proc/uptime"), "look at its uptime", timeout=30)


def host(answer: Result | str | BaseException) -> Host:
    return Host("gpu-1", ScriptedTransport({LOOK.kind: answer}))


def test_what_a_command_said_and_its_pieces() -> None:
    told: list[str] = []
    assert host("a\nb\n").run(LOOK, told.append).stdout == "a\nb\n"
    assert told == ["a\nb\n"]


def test_a_status_is_an_error_with_everything_that_was_said() -> None:
    with pytest.raises(CommandFailed) as failure:
        host(failed(2, stderr="no such file", stdout="half")).run(LOOK)
    assert str(failure.value) == "gpu-1: look at its uptime"
    assert (failure.value.status, failure.value.stdout, failure.value.stderr) == (2, "half", "no such file")


def test_a_hint_of_the_builder_becomes_cause_and_cure() -> None:
    command = Command(LOOK.argv, LOOK.title, hints=(Hint("No space", "the disk is full", "make room"),))
    with pytest.raises(CommandFailed) as failure:
        host(failed(1, "No space left")).run(command)
    assert (failure.value.cause, failure.value.cure) == ("the disk is full", "make room")


def test_the_status_of_timeout_is_a_timeout() -> None:
    with pytest.raises(CommandTimedOut) as failure:
        host(failed(124, "half way")).run(LOOK)
    assert (failure.value.output, failure.value.cause) == ("half way", "the command did not finish within 30 s")


def test_killed_after_the_limit_is_a_timeout_and_before_it_is_not() -> None:
    with pytest.raises(CommandFailed):
        host(failed(137)).run(LOOK)
    with pytest.raises(CommandTimedOut):
        host(failed(137)).run(Command(LOOK.argv, LOOK.title, timeout=0))


def test_no_status_is_a_lost_connection() -> None:
    with pytest.raises(Unreachable) as failure:
        host(failed(-1, stdout="half")).run(LOOK)
    assert failure.value.output == "half"
    assert "broke" in failure.value.cause
    assert "gpu-1" in failure.value.cure


def test_what_the_transport_raises_passes() -> None:
    lost = Unreachable("gpu-1", "connect")
    with pytest.raises(Unreachable) as failure:
        host(lost).run(LOOK)
    assert failure.value is lost


def test_a_probe_brings_what_its_parser_reads() -> None:
    assert host("12.5").ask(Probe(LOOK, float)) == 12.5


def test_an_answer_that_cannot_be_read_is_kept() -> None:
    with pytest.raises(MalformedAnswer) as failure:
        host("Welcome!").ask(Probe(LOOK, float))
    assert failure.value.output == "Welcome!"
    assert "could not convert" in failure.value.cause


class Uptime(Fact):
    since: float
    load: float


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"since": Infinity, "load": 1}', "since: Input should be a finite number"),
        ('{"level": "info"}', "since: Field required, and 2 more"),
        ("[]", "Input should be a valid dictionary or instance of Uptime"),
        (f'"{"x" * 100_000}"', "Input should be a valid dictionary or instance of Uptime"),
    ],
)
def test_a_refused_answer_has_one_line_and_a_cure(answer: str, reason: str) -> None:
    """Nobody at a terminal reads a model's own report of every field, with addresses of its documentation."""
    with pytest.raises(MalformedAnswer) as failure:
        host(answer).ask(Probe(LOOK, lambda said: Uptime.model_validate(json.loads(said))))
    assert failure.value.cause == f"the answer cannot be read: {reason}"
    assert "log in to gpu-1" in failure.value.cure


def test_a_defect_of_a_parser_is_no_error_of_the_host() -> None:
    with pytest.raises(ZeroDivisionError):
        host("0").ask(Probe(LOOK, lambda said: 1 / int(said)))


def test_a_channel_and_hanging_up() -> None:
    channel = ScriptedChannel(["held"])
    transport = ScriptedTransport(channels={LOOK.kind: channel})
    host = Host("gpu-1", transport)
    opened = host.open(LOOK)
    opened.send(b"beat")
    assert (opened.read_line(1), channel.sent, transport.kinds) == ("held", [b"beat"], [LOOK.kind])
    host.close()
    assert transport.closed


@pytest.mark.parametrize("status", [-1, 1, 124])
def test_a_secret_on_stdout_is_never_what_a_host_said(status: int) -> None:
    command = Command(("token",), "prepare Ray's token", secret=True)
    host = Host("a", ScriptedTransport({command.kind: Result(status, "t0ken-hush", "")}))
    with pytest.raises(HostError) as caught:
        host.run(command)
    assert "hush" not in caught.value.output + str(caught.value)


def attend(channel: ScriptedChannel, timeout: float = 30.0) -> float:
    command = Command(LOOK.argv, LOOK.title, timeout=timeout)
    return Host("gpu-1", ScriptedTransport(channels={LOOK.kind: channel})).attend(Probe(command, float))


def test_a_program_that_is_attended_is_read_at_its_end() -> None:
    channel = ScriptedChannel([None, "", "12.5", None])
    assert attend(channel) == 12.5
    assert channel.closed


def test_a_program_that_is_attended_and_fails_or_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.transport.host._MARGIN", 0.0)
    for channel, timeout, error in (
        (ScriptedChannel([], failed(2, "no such file")), 30.0, CommandFailed),
        (ScriptedChannel([], failed(-1)), 30.0, Unreachable),
        (ScriptedChannel(["soon"]), 0.0, CommandTimedOut),
        (ScriptedChannel(["soon"]), 30.0, MalformedAnswer),
    ):
        with pytest.raises(error):
            attend(channel, timeout)
        assert channel.closed
