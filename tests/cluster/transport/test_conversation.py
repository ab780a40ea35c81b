"""A conversation over a scripted channel."""

from __future__ import annotations

import threading

import pytest

from cluster.command import Command
from cluster.errors import CommandFailed, TooMuchOutput, Unreachable
from cluster.transport.conversation import Conversation, deadline, first_answer, heartbeat
from tests.doubles import ScriptedChannel, failed

LOOK = Command(("cat", "/proc/uptime"), "look at its uptime", timeout=30)
LOST = Unreachable("gpu-1", "talk", cause="the connection broke")


def test_lines_and_pauses_come_until_the_program_ends() -> None:
    channel = ScriptedChannel(["a", None, "b"], failed(3))
    with Conversation(channel) as conversation:
        assert list(conversation.lines(1.0)) == ["a", None, "b"]
        assert (conversation.ended, conversation.result().status, channel.closed) == (True, 3, False)
    assert channel.closed


def test_whoever_is_done_reads_no_further_and_knows_that_the_program_goes_on() -> None:
    done = threading.Event()
    conversation = Conversation(ScriptedChannel(["a", "b", "c"]))
    for line in conversation.lines(1.0, done.is_set):
        if line == "b":
            done.set()
    assert not conversation.ended
    assert list(conversation.lines(1.0)) == ["c"]


def test_nothing_is_read_behind_a_deadline() -> None:
    conversation = Conversation(ScriptedChannel(["a"]))
    assert list(conversation.lines(1.0, deadline(0.0))) == []
    assert not conversation.ended
    assert list(conversation.lines(1.0, deadline(60.0))) == ["a"]


def test_it_hangs_up_and_goes_silent_when_we_are_interrupted() -> None:
    channel = ScriptedChannel(["a"])
    conversation = Conversation(channel)
    with pytest.raises(KeyboardInterrupt):
        interrupted(conversation)
    assert channel.closed
    assert conversation._over.is_set()


def interrupted(conversation: Conversation) -> None:
    with conversation:
        conversation.keep_alive(60.0)
        raise KeyboardInterrupt


class Beaten(ScriptedChannel):
    """Tells when it has heard as many heartbeats as it stands before the connection breaks."""

    def __init__(self, broken_after: int | None = None) -> None:
        super().__init__(broken_after=broken_after, error=LOST)
        self.heard = threading.Event()

    def send(self, data: bytes) -> None:
        try:
            super().send(data)
        finally:
            if len(self.sent) >= 3:
                self.heard.set()


def test_the_program_hears_a_heartbeat_while_nobody_reads() -> None:
    channel = Beaten()
    with Conversation(channel) as conversation:
        conversation.keep_alive(0.001)
        assert channel.heard.wait(20)
    assert set(channel.sent) == {b"\n"}


def test_a_lost_connection_ends_the_heartbeat_alone() -> None:
    """What is lost is for whoever reads to say."""
    channel, over = Beaten(broken_after=3), threading.Event()
    before = set(threading.enumerate())
    heartbeat(lambda: channel.send(b"\n"), 0.001, over)
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
        assert not thread.is_alive()
    assert (len(channel.sent), over.is_set()) == (3, False)


@pytest.mark.parametrize("lines", [['{"gone": true}', "too late"], [None, "Welcome", '{"gone": 1}', "too late"]])
def test_the_end_is_asked_for_and_waited_for(lines: list[str | None]) -> None:
    channel = ScriptedChannel(lines)
    conversation = Conversation(channel)
    conversation.end(b"end\n", "gone", 20.0)
    assert channel.sent == [b"end\n"]
    assert channel.read_line(1.0) == "too late"


def test_an_end_that_nobody_hears_is_waited_for_no_longer_than_allowed() -> None:
    silent = ScriptedChannel(["a"])
    Conversation(silent).end(b"end\n", "gone", 0.0)
    assert silent.read_line(1.0) == "a"
    Conversation(ScriptedChannel(["a"])).end(b"end\n", "gone", 20.0)
    lost = ScriptedChannel(["a"], broken_after=0, error=LOST)
    Conversation(lost).end(b"end\n", "gone", 20.0)
    assert lost.read_line(1.0) == "a"


def test_the_first_answer_among_greetings_of_all_kinds() -> None:
    channel = ScriptedChannel(["Welcome", '{"not": "ours"}', "{", '{"listening": [1]}', '{"listening": [2]}'])
    assert first_answer("gpu-1", LOOK, channel, {"listening"}, 1.0) == {"listening": [1]}


def test_no_first_answer() -> None:
    with pytest.raises(Unreachable, match="look at its uptime") as failure:
        first_answer("gpu-1", LOOK, ScriptedChannel(["Welcome", None]), {"listening"}, 1.0)
    assert failure.value.cause == "the host did not answer within 1 s"
    with pytest.raises(CommandFailed):
        first_answer("gpu-1", LOOK, ScriptedChannel(["Welcome"], failed(3)), {"listening"}, 1.0)


def test_an_answer_is_not_waited_for_behind_a_greeting_without_end() -> None:
    class Talkative(ScriptedChannel):
        def read_line(self, timeout: float) -> str:
            return "Welcome! " * 1000

    with pytest.raises(TooMuchOutput):
        first_answer("gpu-1", LOOK, Talkative(), {"taken"}, 60.0)
    with pytest.raises(Unreachable, match="gpu-1: look at its uptime") as caught:
        first_answer("gpu-1", LOOK, Talkative(), {"taken"}, 0.0)
    assert caught.value.cause == "the host did not answer within 0 s"
