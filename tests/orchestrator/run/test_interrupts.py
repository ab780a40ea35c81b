"""Which signal is heard, and when."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from orchestrator.run.interrupts import Interrupts
from tests.timing import LIMIT


def clocked(*times: float) -> Interrupts:
    following = iter(times)
    return Interrupts(lambda: next(following))


def heard(act: Callable[[], object]) -> bool:
    try:
        act()
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize(
    ("times", "raised", "leaving"),
    [
        ([0.0], [True], False),
        ([0.0, 0.1], [True, False], False),
        ([0.0, 0.6], [True, True], True),
        ([0.0, 0.1, 0.6], [True, False, True], True),
    ],
    ids=["once", "an echo", "twice", "an echo, then twice"],
)
def test_signals(times: list[float], raised: list[bool], leaving: bool) -> None:
    interrupts = clocked(*times)
    assert [heard(interrupts.arrived) for _ in times] == raised
    assert interrupts.leaving is leaving


def test_the_first_is_heard_later() -> None:
    interrupts, done = clocked(0.0), []

    def launch() -> None:
        with interrupts.deferred():
            interrupts.arrived()
            done.append("launched")

    assert heard(launch)
    assert done == ["launched"]


def test_the_second_is_heard_at_once() -> None:
    interrupts, done = clocked(0.0, 1.0), []

    def launch() -> None:
        with interrupts.deferred():
            interrupts.arrived()
            interrupts.arrived()
            done.append("launched")

    assert heard(launch)
    assert done == []
    assert interrupts.leaving


def test_an_error_comes_before_what_was_to_be_heard_later() -> None:
    interrupts = clocked(0.0)

    def launch() -> None:
        with interrupts.deferred():
            interrupts.arrived()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        launch()


def test_nothing_came_so_nothing_is_heard() -> None:
    with clocked().deferred():
        pass


def test_when_it_is_ending_anyway_only_the_second_is_heard() -> None:
    interrupts = clocked(0.0, 1.0)
    interrupts.ignore_first()
    assert [heard(interrupts.arrived), heard(interrupts.arrived)] == [False, True]


def test_after_a_run_within_a_run_the_first_is_heard_again() -> None:
    interrupts = clocked(0.0)
    with interrupts.nested():
        interrupts.ignore_first()
    assert heard(interrupts.arrived)


def test_one_that_came_at_the_end_of_a_run_within_a_run_is_heard_after_it() -> None:
    interrupts = clocked(0.0)

    def inner() -> None:
        with interrupts.nested():
            interrupts.ignore_first()
            interrupts.arrived()

    assert heard(inner)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_real_signals_raise_while_entered_and_are_given_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts():
        assert heard(lambda: signal.raise_signal(number))
    assert signal.getsignal(number) is before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_lost_terminal_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with suppress(KeyboardInterrupt), Interrupts():
        assert signal.getsignal(signal.SIGHUP) is before is signal.SIG_DFL


class Finalized:
    """Gets a signal as it goes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def finalize_one_and_wait() -> None:
    Finalized()
    threading.Event().wait(LIMIT)


def test_one_that_comes_while_an_object_is_finalized_is_heard_all_the_same() -> None:
    """Python raises it to nobody there: a run went on, and exited 0."""
    with clocked(0.0, 1.0, 2.0, 3.0) as interrupts:
        for leaving in (False, True):
            assert heard(finalize_one_and_wait)
            assert interrupts.leaving is leaving
