"""The lock on the head, as we ask for it. What the program there does is proved in remote/."""

from __future__ import annotations

import json
import threading

import pytest

from cluster.errors import CommandFailed, LeaseHeld, MalformedAnswer, Unreachable
from cluster.lease import keepalive, lease
from cluster.lease.lease import HeldLease
from cluster.transport.host import Host
from cluster.values import Lease
from tests.cluster.builders import STATE
from tests.cluster.launch.test_unit import sent
from tests.doubles import ScriptedChannel, ScriptedTransport
from tests.timing import LIMIT

MINE = Lease("ann", "laptop", "2026-11-22T10:00:00+00:00", "up demo")
THEIRS = {"owner": "bob", "machine": "desk", "since": "2026-11-22T09:00:00+00:00", "reason": "up demo", "pid": 7}
TAKEN = '{"taken": null}'


def take(channel: ScriptedChannel) -> HeldLease:
    host = Host("gpu-a", ScriptedTransport(channels={"lease": channel}))
    return lease.take(host, "demo", MINE, STATE, "/opt/vllm")


def test_what_the_holder_is_told() -> None:
    data = sent(lease.hold(MINE, STATE, "/opt/vllm"))
    assert data["folder"] == STATE
    assert data["lease"] == {"owner": "ann", "machine": "laptop", "since": MINE.since, "reason": "up demo"}
    assert data["silence"] >= 5 * keepalive._BEAT


@pytest.mark.parametrize("lines", [(TAKEN,), ("Welcome", TAKEN), ('{"not": "ours"}', TAKEN)])
def test_a_free_lease_is_taken_and_given_back(lines: tuple[str, ...]) -> None:
    channel = ScriptedChannel(lines)
    held = take(channel)
    assert held.left_by is None
    assert not channel.closed
    held.release()
    assert channel.sent[-1] == b"bye\n"
    assert channel.closed


def test_an_owner_who_left_without_a_word_is_told_of() -> None:
    held = take(ScriptedChannel([json.dumps({"taken": THEIRS})]))
    assert held.left_by == Lease("bob", "desk", "2026-11-22T09:00:00+00:00", "up demo")
    held.release()


@pytest.mark.parametrize(("held", "owner"), [(THEIRS, "bob"), (None, "an unknown operator")])
def test_a_held_lease_is_refused(held: dict[str, object] | None, owner: str) -> None:
    channel = ScriptedChannel([json.dumps({"held": held})])
    with pytest.raises(LeaseHeld) as caught:
        take(channel)
    assert caught.value.lease.owner == owner
    assert channel.closed


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ((), CommandFailed),
        (("Traceback (most recent call last):",), CommandFailed),
        (("{ no JSON",), CommandFailed),
        (('{"taken": {"owner": "bob"}}',), MalformedAnswer),
        (("Welcome", None), Unreachable),
    ],
)
def test_a_holder_that_does_not_answer(lines: tuple[str | None, ...], error: type[Exception]) -> None:
    channel = ScriptedChannel(lines)
    with pytest.raises(error):
        take(channel)
    assert channel.closed


def test_the_lease_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "_BEAT", 0.001)
    beaten = threading.Event()
    channel = ScriptedChannel([TAKEN])
    monkeypatch.setattr(channel, "send", lambda data: beaten.set() if data != b"bye\n" else None)
    held = take(channel)
    assert beaten.wait(LIMIT)
    held.release()


def test_a_lost_connection_ends_the_beating_and_the_release_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "_BEAT", 0.001)
    before = set(threading.enumerate())
    channel = ScriptedChannel([TAKEN], broken_after=0, error=Unreachable("gpu-a", "send"))
    held = take(channel)
    for thread in set(threading.enumerate()) - before:
        thread.join(LIMIT)
        assert not thread.is_alive()
    held.release()
    assert channel.closed


@pytest.mark.parametrize(
    "said",
    ['{"taken": 5}', '{"taken": {"owner": 5}}', '{"held": []}', '{"held": {"owner": "a", "machine": null}}',
     '{"taken": null, "unwritten": 5}', '{"held": "x"}'],
)  # fmt: skip
def test_what_is_no_lease_is_an_error_of_the_head(said: str) -> None:
    with pytest.raises((MalformedAnswer, LeaseHeld)) as caught:
        take(ScriptedChannel([said]))
    error = caught.value
    assert isinstance(error, MalformedAnswer) or (
        isinstance(error, LeaseHeld) and error.lease.owner == "an unknown operator"
    )
