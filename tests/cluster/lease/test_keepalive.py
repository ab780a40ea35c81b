"""How long a lease is believed in: for as long as the host has proved that it hears us."""

from __future__ import annotations

import json
import queue

import pytest

from cluster.command import Result
from cluster.lease import keepalive
from cluster.lease.keepalive import LeaseKeepalive


class Answering:
    """A holder that answers what it hears, unless it is `deaf`; ends with "bye"."""

    def __init__(self, deaf: bool = False) -> None:
        self.deaf = deaf
        self.sent: list[bytes] = []
        self.closed = False
        self._lines: queue.Queue[str | None] = queue.Queue()

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        if data == b"bye\n":
            self._lines.put(None)
        elif not self.deaf:
            self._lines.put(json.dumps({"heard": data.decode().strip()}))

    def says(self, line: str) -> None:
        self._lines.put(line)

    def read_line(self, timeout: float) -> str | None:
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return None
        if line is None:
            raise EOFError
        return line

    def result(self) -> Result:
        return Result(0, "", "")

    def close(self) -> None:
        self.closed = True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this machine, asleep or awake; no wait for an answer is long."""
    one = Clock()
    monkeypatch.setattr(keepalive, "now", one)
    monkeypatch.setattr(keepalive, "_PROOF", 0.2)
    return one


def test_we_give_up_before_the_host_does() -> None:
    assert keepalive._TRUST + keepalive._PROOF < keepalive.SILENCE


def test_answers_keep_it_ours(clock: Clock) -> None:
    channel = Answering()
    hold = LeaseKeepalive(channel, clock.now)
    for _ in range(5):
        clock.now += keepalive._TRUST + 1
        assert hold.lives()
    hold.release()
    assert channel.closed
    assert channel.sent[-1] == b"bye\n"


def test_without_an_answer_it_is_ours_no_longer_than_the_last_one_proves(clock: Clock) -> None:
    channel = Answering(deaf=True)
    hold = LeaseKeepalive(channel, clock.now)
    clock.now += keepalive._TRUST - 1
    assert hold.lives()
    clock.now += 2
    assert not hold.lives()
    channel.deaf = False
    assert hold.lives()
    hold.release()


@pytest.mark.parametrize("said", ['{"heard": "990.0"}', '{"heard": "soon"}', '{"heard": null}', "{}", "Welcome"])
def test_an_old_answer_proves_nothing_new(clock: Clock, said: str) -> None:
    """A heartbeat that took long proves that the host heard us then, not later."""
    channel = Answering(deaf=True)
    hold = LeaseKeepalive(channel, clock.now)
    clock.now += keepalive._TRUST + 1
    channel.says(said)
    assert not hold.lives()
    hold.release()


def test_who_broke_it_is_heard_between_the_answers(clock: Clock) -> None:
    channel = Answering()
    hold = LeaseKeepalive(channel, clock.now)
    by = {"owner": "bob", "machine": "desk", "since": "now", "reason": "a wish"}
    hold.lives()
    channel.says(json.dumps({"broken": by}))
    channel.send(b"bye\n")
    broken = hold.broken_by()
    assert broken
    assert broken.owner == "bob"
    hold.abandon()
