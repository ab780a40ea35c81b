"""The reducer of the live screen, by value."""

from __future__ import annotations

import pytest

from orchestrator import events
from orchestrator.render.screen import Mood, Row, State, reduce
from tests.orchestrator.render import story

START = events.RunStarted("up", "ernie", ("gpu-a", "gpu-b"))


def after(*timed: tuple[float, events.Event]) -> State:
    state = State(began=0.0)
    for at, event in ((0.0, START), *timed):
        state = reduce(state, event, at)
    return state


def test_a_run_begins_anew() -> None:
    assert reduce(after((1, events.PhaseStarted("Old"))), START, 7.0) == State(
        7.0, "up", "ernie", (("gpu-a", Mood.IDLE), ("gpu-b", Mood.IDLE))
    )


@pytest.mark.parametrize(
    ("happened", "row"),
    [
        ([], Row("Serve", Mood.RUNNING, 2)),
        ([events.PhaseDone("Serve", 7.0)], Row("Serve", Mood.DONE, 2, 7.0)),
        ([events.PhaseSkipped("Serve", "alive")], Row("Serve", Mood.SKIPPED, 2, None, "alive")),
        (
            [events.PhaseDone("Serve", 7.0), events.RolledBack("Serve")],
            Row("Serve", Mood.UNDONE, 2, 7.0, "rolled back after 7.0 s"),
        ),
        (
            [events.PhaseFailed("Serve", 7.0, story.unreachable)],
            Row("Serve", Mood.FAILED, 2, 7.0, "gpu-b: could not connect (unreachable)"),
        ),
        (
            [events.PhaseFailed("Serve", 7.0, story.unreachable), events.RolledBack("Serve")],
            Row("Serve", Mood.FAILED, 2, 7.0, "gpu-b: could not connect (unreachable) (rolled back)"),
        ),
        (
            [events.PhaseDone("Serve", 7.0), events.RolledBack("Serve", story.timed_out)],
            Row(
                "Serve",
                Mood.FAILED,
                2,
                7.0,
                "could not be rolled back: gpu-a: could not ask for its facts (timed out)",
            ),
        ),
    ],
)
def test_a_phase(happened: list[events.Event], row: Row) -> None:
    assert after((2, events.PhaseStarted("Serve")), *((9.0, event) for event in happened)).rows == (row,)


def test_what_was_learned_is_said_and_nothing_is_waited_for_any_more() -> None:
    state = after((1, events.Waiting("one token", 3, "")), (2, events.TransportDetected(story.TRANSPORT)))
    assert state.messages == (
        "transport: NET/IB/GDRDMA (Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA)",
    )
    for event in (events.EngineReady(640), events.EndpointVerified("http://10.0.0.1:8000", "this machine", "")):
        assert reduce(state, event, 3.0).waiting is None


def test_a_skip_needs_no_start_and_a_phase_may_run_twice() -> None:
    state = after(
        (1, events.PhaseSkipped("Lock", "held by us")),
        (2, events.PhaseStarted("Observe")),
        (3, events.PhaseDone("Observe", 1)),
        (4, events.PhaseStarted("Observe")),
        (6, events.PhaseDone("Observe", 2)),
    )
    assert [(row.title, row.seconds) for row in state.rows] == [("Lock", None), ("Observe", 1), ("Observe", 2)]


def test_undoing_what_was_never_seen_is_shown_too() -> None:
    assert after((1, events.RolledBack("Lock"))).rows == (Row("Lock", Mood.UNDONE, 0.0, None, "rolled back"),)


def test_hosts_in_trouble_stay_so_until_announced() -> None:
    state = after(
        (1, events.FindingReported(story.SHM)),
        (2, events.HostMessage("gpu-b", "Ray runtime started.")),
        (2, events.HostMessage("gpu-a", "hi")),
    )
    assert state.hosts == (("gpu-a", Mood.RUNNING), ("gpu-b", Mood.WARNING))
    assert reduce(state, events.Announced(story.ANNOUNCEMENT), 3).hosts == (
        ("gpu-a", Mood.DONE),
        ("gpu-b", Mood.DONE),
    )


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (story.unreachable, {"gpu-b"}),
        (story.several, {"gpu-a", "gpu-b"}),
        (story.preflight, {"gpu-a", "gpu-b"}),
        (story.not_ready, {"gpu-a"}),
        (story.not_freed, {"gpu-a", "gpu-b"}),
        (story.held, set()),
    ],
)
def test_a_failure_names_its_hosts(error: Exception, blamed: set[str]) -> None:
    state = after((1, events.PhaseFailed("Serve", 1, error)))  # type: ignore[arg-type]
    assert {host for host, mood in state.hosts if mood is Mood.FAILED} == blamed


def test_words_are_kept_clean_and_in_bounds() -> None:
    state = after(*((1.0, events.HostMessage("gpu-a", f"\x1b[31mline {number}\n")) for number in range(99)))
    assert (len(state.messages), state.messages[-1]) == (50, "gpu-a: line 98")


def test_the_rate_of_a_progress() -> None:
    bar = after(
        (10, events.Progress("weights", 0, 790, "GiB")),
        (20, events.Progress("weights", 10, 790, "GiB")),
        (30, events.Progress("weights", 20, 790, "GiB")),
    ).bar
    assert bar is not None
    assert (bar.rate(30), bar.left(30)) == (1.0, 770.0)
    assert bar.rate(50) == 0.5


def test_a_rate_looks_back_a_minute_only() -> None:
    bar = after(
        *(
            (float(at), events.Progress("weights", at / 10 if at < 200 else 20, 99, "%"))
            for at in range(0, 400, 10)
        )
    ).bar
    assert bar is not None
    assert (bar.rate(390), bar.left(390)) == (0, None)


@pytest.mark.parametrize("again", [events.Progress("weights", 1, 99, "%"), events.Progress("graphs", 60, 67, "")])
def test_less_than_before_or_another_thing_is_a_new_measure(again: events.Progress) -> None:
    bar = after((1, events.Progress("weights", 50, 99, "%")), (2, again)).bar
    assert bar is not None
    assert bar.samples == ((2, again.done),)
    assert bar.left(2) is None


def test_a_new_phase_ends_the_waiting_of_the_old() -> None:
    waiting = events.Waiting("one token", 4, "HTTP 503")
    state = after((1, events.PhaseStarted("Ready")), (5, waiting), (5, events.Progress("weights", 1, 99, "%")))
    assert (state.waiting, state.asked) == (waiting, 5)
    ended = reduce(state, events.PhaseDone("Ready", 4), 6)
    assert (ended.waiting, ended.bar) == (None, None)
