"""Waiting: what is looked at again, what ends it, and what is said meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cluster.command import Command
from cluster.errors import CommandFailed, CommandTimedOut, FleetError, NotReady, TimedOut, Unreachable
from cluster.transport.wait import Stalled, until

LOST = Unreachable("a", "read the status of ray")


class Eyes:
    """Sees one thing after the other, the last for ever; an exception is raised."""

    def __init__(self, *things: object) -> None:
        self.things = list(things)
        self.looks = 0

    def __call__(self) -> object:
        self.looks += 1
        thing = self.things.pop(0) if len(self.things) > 1 else self.things[0]
        if isinstance(thing, BaseException):
            raise thing
        return thing


def wait(eyes: Eyes, *, patience: float = 5.0, heard: list[str] | None = None) -> object:
    def notice(seconds: float, last: str, quiet: float) -> None:
        assert min(seconds, quiet) >= 0
        if heard is not None:
            heard.append(last)

    return until("it", eyes, lambda seen: seen == "done", patience=patience, notice=notice, interval=0)


@pytest.mark.parametrize("before", [(), ("not yet",), (LOST,), ("not yet", LOST, "not yet")])
def test_looks_until_it_is_done(before: Iterable[object]) -> None:
    eyes = Eyes(*before, "done")
    assert wait(eyes) == "done"
    assert eyes.looks == len(list(before)) + 1


@pytest.mark.parametrize(
    "error", [CommandFailed("a", Command((), "x"), 1, "", ""), NotReady("x", 1), KeyboardInterrupt()]
)
def test_everything_else_ends_it_at_once(error: BaseException) -> None:
    eyes = Eyes("not yet", error, "done")
    with pytest.raises(type(error)) as caught:
        wait(eyes)
    assert caught.value is error
    assert eyes.looks == 2


@pytest.mark.parametrize(("last", "said"), [("not yet", "not yet"), (LOST, "a: read the status of ray")])
def test_the_end_of_patience_says_what_was_seen_last(last: object, said: str) -> None:
    with pytest.raises(TimedOut) as caught:
        wait(Eyes("first", last), patience=0.02)
    assert (caught.value.what, caught.value.last) == ("it", said)
    assert caught.value.waited >= 0.02


def test_without_patience_it_is_looked_at_once() -> None:
    eyes = Eyes("not yet")
    with pytest.raises(TimedOut):
        wait(eyes, patience=0)
    assert eyes.looks == 1


def test_a_host_that_does_not_answer_in_time_is_looked_at_again() -> None:
    """One that reads a checkpoint may have no time for us: its engine is none the worse for it."""
    heard: list[str] = []
    assert wait(Eyes(CommandTimedOut("a", Command((), "read the status of ray")), "done"), heard=heard) == "done"
    assert heard == [
        "a: read the status of ray: the command did not finish within 30 s "
        "(log in to a and find the process that hangs)"
    ]


def test_whoever_watches_hears_each_look() -> None:
    heard: list[str] = []
    wait(Eyes("one", LOST, "two", "done"), heard=heard)
    assert heard == ["one", "a: read the status of ray", "two"]


def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("cluster.transport.wait.time.monotonic", lambda: now[0])
    return now


def test_patience_begins_anew_with_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock(monkeypatch)
    stalled: Stalled[int] = Stalled(10, lambda seen: seen // 10)
    for at, seen, over in [(9, 0, False), (18, 10, False), (27, 11, False), (28.5, 12, True), (29, 20, False)]:
        now[0] = at
        stalled.saw(seen)
        assert stalled.over() is over, at


def test_progress_is_what_the_mark_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock(monkeypatch)

    def look() -> int:
        now[0] += 1
        return int(now[0])

    with pytest.raises(TimedOut) as caught:
        until(
            "it",
            look,
            lambda seen: False,
            patience=5,
            notice=lambda *_: None,
            mark=lambda n: min(n, 20),
            interval=0,
        )
    assert 25 <= caught.value.waited <= 27


def test_several_lost_connections_are_looked_over_but_nothing_worse_among_them() -> None:
    lost = FleetError([LOST, CommandTimedOut("b", Command((), "read the status of ray"))])
    assert wait(Eyes(lost, "done")) == "done"
    with pytest.raises(FleetError):
        wait(Eyes(FleetError([LOST, CommandFailed("b", Command((), "x"), 1, "", "")]), "done"))
