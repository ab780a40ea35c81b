"""Logs as we ask for them. What the program on the host does is proved in remote/."""

from __future__ import annotations

import threading

import pytest

from cluster.diagnosis import logs
from cluster.diagnosis.logs import Logs
from cluster.errors import CommandFailed, MalformedAnswer, Unreachable
from cluster.launch.unit import folder_name
from cluster.transport.host import Host
from cluster.values import LogLine
from tests.cluster.builders import inventory
from tests.cluster.launch.test_unit import sent
from tests.doubles import ScriptedChannel, ScriptedTransport, failed
from tests.timing import LIMIT

INVENTORY = inventory(runtime={"state_directory": "/local"})
FOLLOWING = logs.following(INVENTORY, "gpu-b", ["vllm"], 7)
FILES, LINE = '{"files": 1}', '{"source": "vllm", "text": "a word"}'


def test_what_the_program_is_told() -> None:
    data = sent(logs.tail(INVENTORY, "gpu-b", ["vllm", "ranks"], 7).command)
    assert (data["state"], data["folder"]) == ("/local", folder_name("demo", "gpu-b"))
    assert data["files"][0] == ["vllm/log", "vllm"]
    assert ["ray/session_latest/logs/worker-*.err", ""] in data["files"]
    assert (data["lines"], data["follow"]) == (7, False)
    assert sent(FOLLOWING)["follow"] is True
    assert sent(FOLLOWING)["silence"] >= 5 * logs._BEAT


def ask(said: str) -> Logs:
    probe = logs.tail(INVENTORY, "gpu-b", ["vllm"], 7)
    return Host("gpu-b", ScriptedTransport({"tail": said})).ask(probe)


@pytest.mark.parametrize("greeting", ["", 'Welcome\n{"a": 1}\n'])
def test_the_last_lines(greeting: str) -> None:
    assert ask(f"{greeting}{FILES}\n{LINE}\n") == Logs(1, (LogLine("vllm", "a word"),))
    assert ask('{"files": 0}') == Logs(0, ())


def test_a_program_that_did_not_speak() -> None:
    with pytest.raises(MalformedAnswer):
        ask("Welcome")


def follow(channel: ScriptedChannel, done: threading.Event) -> list[logs.Message]:
    """What was heard; the last word of all ends it."""
    heard: list[logs.Message] = []

    def hear(one: logs.Message) -> None:
        heard.append(one)
        if isinstance(one, LogLine) and one.text == "the end":
            done.set()

    host = Host("gpu-b", ScriptedTransport(channels={"tail": channel}))
    logs.follow(host, FOLLOWING, hear, done)
    return heard


def test_what_comes_is_told_until_we_are_done() -> None:
    end = '{"source": "vllm", "text": "the end"}'
    channel = ScriptedChannel(["Welcome", FILES, None, LINE, None, end, LINE])
    assert follow(channel, threading.Event()) == [1, LogLine("vllm", "a word"), LogLine("vllm", "the end")]
    assert channel.closed


@pytest.mark.parametrize(("status", "error"), [(-1, Unreachable), (127, CommandFailed)])
def test_one_that_ends_by_itself(status: int, error: type[Exception]) -> None:
    channel = ScriptedChannel([FILES, LINE], failed(status, "python3: not found"))
    with pytest.raises(error, match="gpu-b: follow the logs"):
        follow(channel, threading.Event())
    assert channel.closed


def test_the_program_hears_of_us_while_we_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_BEAT", 0.001)
    channel, beaten, done = ScriptedChannel([FILES]), threading.Event(), threading.Event()
    monkeypatch.setattr(channel, "send", lambda data: beaten.set() if data == b"\n" else None)

    def hear(one: logs.Message) -> None:
        assert beaten.wait(LIMIT)
        done.set()

    host = Host("gpu-b", ScriptedTransport(channels={"tail": channel}))
    logs.follow(host, FOLLOWING, hear, done)


def test_lines_of_another_shape_are_passed_over() -> None:
    odd = ['{"source": 5, "text": []}', '{"source": null, "text": "x"}', '{"files": "many"}', '{"source": "x"}']
    assert ask("\n".join([FILES, *odd, LINE])) == Logs(1, (LogLine("vllm", "a word"),))
    with pytest.raises(MalformedAnswer):
        ask('{"files": [1]}')
