"""The order of things, and what happens when one fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.errors import HostError, LeaseLost, NotReady, NotReleased
from cluster.values import Lease, Leftover
from orchestrator.events import HostMessage, PhaseDone, PhaseFailed, PhaseSkipped, PhaseStarted, RolledBack
from orchestrator.run.interrupts import Interrupted, Interrupts
from orchestrator.run.phase import Handover, Phase, Stage
from tests.orchestrator.engine_fixtures import (
    CLEAN,
    RecordingPhase,
    ScriptedEngine,
    recording_phases,
    scripted_engine,
)

LOST = NotReady("the engine", 3.0, cause="it died")


def test_phases_run_in_order_and_each_sees_what_the_one_before_left() -> None:
    notes: list[str] = []
    scripted_engine().engine.run(
        [RecordingPhase("A", notes), RecordingPhase("B", notes, acts=False), RecordingPhase("C", notes)]
    )
    assert notes == [
        *("skip? A: python 1", "run A: python 1"),
        *("skip? B: python 2", "run B: python 2"),
        *("skip? C: python 2", "run C: python 2"),
    ]


def test_what_is_already_so_is_skipped_with_its_reason() -> None:
    run, notes = scripted_engine(), list[str]()
    run.engine.run([RecordingPhase("A", notes, reason="it runs as wanted"), RecordingPhase("B", notes)])
    assert notes == ["skip? A: python 1", "skip? B: python 1", "run B: python 1"]
    assert run.events[0] == PhaseSkipped("A", "it runs as wanted")
    assert [type(event) for event in run.events[1:]] == [PhaseStarted, PhaseDone]


def test_a_failure_takes_back_what_was_entered_in_reverse() -> None:
    run, notes = scripted_engine(), list[str]()
    with pytest.raises(NotReady) as caught:
        run.engine.run(
            [
                RecordingPhase("A", notes),
                RecordingPhase("skipped", notes, reason="so"),
                RecordingPhase("B", notes, run_error=LOST),
                RecordingPhase("never", notes),
            ]
        )
    assert caught.value is LOST
    assert [note for note in notes if note.startswith("undo")] == ["undo B: python 2", "undo A: python 1"]
    assert [event.error for event in run.events if isinstance(event, PhaseFailed)] == [LOST]
    assert [event for event in run.events if isinstance(event, RolledBack)] == [RolledBack("B"), RolledBack("A")]


def test_a_phase_that_starts_nothing_is_not_undone() -> None:
    run, notes = scripted_engine(), list[str]()
    with pytest.raises(NotReady):
        run.engine.run(
            [RecordingPhase("A", notes, starts=False), RecordingPhase("B", notes, starts=False, run_error=LOST)]
        )
    assert not any(note.startswith("undo") for note in notes)
    assert not any(isinstance(event, HostMessage | RolledBack) for event in run.events)


@pytest.mark.parametrize(
    ("problem", "remains"),
    [
        (
            NotReleased([Leftover("gpu-b", "pid 7: raylet", "ssh gpu-b kill -9 7")]),
            "gpu-b: pid 7: raylet (ssh gpu-b",
        ),
        (
            HostError("gpu-b", "stop ray", cause="no route", cure="see its cable"),
            "gpu-b: no route (see its cable)",
        ),
        (ZeroDivisionError("a fault of ours"), "ZeroDivisionError: a fault of ours"),
    ],
)
def test_what_cannot_be_taken_back_is_named_and_keeps_nothing_else(problem: Exception, remains: str) -> None:
    run, notes = scripted_engine(), list[str]()
    error = NotReady("the engine", 3.0)
    with pytest.raises(NotReady) as caught:
        run.engine.run(
            [
                RecordingPhase("A", notes),
                RecordingPhase("B", notes, undo_error=problem),
                RecordingPhase("C", notes, run_error=error),
            ]
        )
    assert caught.value is error
    assert [note for note in notes if note.startswith("undo")][-1] == "undo A: python 1"
    message = "\n".join(error.__notes__)
    assert "could not be rolled back: B\n" in message
    assert remains in message
    assert f"`{CLEAN}`" in error.__notes__[-1]


def test_what_is_to_be_released_is_released_at_the_very_end() -> None:
    run, notes = scripted_engine(), list[str]()
    lock = RecordingPhase(
        "lock", notes, starts=False, during=lambda stage: stage.at_end(lambda: notes.append("released"))
    )
    with pytest.raises(NotReady):
        run.engine.run([lock, RecordingPhase("A", notes), RecordingPhase("B", notes, run_error=LOST)])
    assert notes[-2:] == ["undo A: python 2", "released"]


def test_a_fault_of_ours_undoes_as_well() -> None:
    run, notes = scripted_engine(), list[str]()
    with pytest.raises(ZeroDivisionError):
        run.engine.run([RecordingPhase("A", notes), RecordingPhase("B", notes, run_error=ZeroDivisionError())])
    assert notes[-2:] == ["undo B: python 2", "undo A: python 1"]


def test_keep_leaves_everything_and_says_how_to_clean() -> None:
    run, notes = scripted_engine(keep=True), list[str]()
    error = NotReady("the engine", 3.0)
    with pytest.raises(NotReady):
        run.engine.run([RecordingPhase("A", notes), RecordingPhase("B", notes, run_error=error)])
    assert not any(note.startswith("undo") for note in notes)
    assert error.__notes__ == [f"everything was left running for inspection (--keep): `{CLEAN}` removes it"]


def test_keep_of_a_run_that_started_nothing_says_nothing() -> None:
    error = NotReady("the engine", 3.0)
    with pytest.raises(NotReady):
        scripted_engine(keep=True).engine.run([RecordingPhase("A", starts=False, run_error=error)])
    assert not hasattr(error, "__notes__")


def test_ctrl_c_undoes() -> None:
    run, notes = scripted_engine(), list[str]()
    with pytest.raises(Interrupted) as caught:
        run.engine.run(
            [RecordingPhase("A", notes), RecordingPhase("B", notes, starts=False, run_error=KeyboardInterrupt())]
        )
    assert notes[-1] == "undo A: python 1"
    assert run.events[-2:] == [
        HostMessage("", "interrupted: rolling back (press Ctrl-C again to stop the rollback)"),
        RolledBack("A"),
    ]
    assert not hasattr(caught.value, "__notes__")


def test_ctrl_c_waits_for_a_launch() -> None:
    interrupts, notes = Interrupts(lambda: 0.0), list[str]()

    def launch(stage: Stage) -> None:
        interrupts.arrived()
        notes.append("launched")

    with pytest.raises(Interrupted):
        scripted_engine(interrupts).engine.run([RecordingPhase("A", notes, during=launch)])
    assert notes[-2:] == ["launched", "undo A: python 1"]


def twice(*times: float) -> Interrupts:
    following = iter(times)
    return Interrupts(lambda: next(following))


def test_ctrl_c_in_the_undo_leaves_at_once_and_says_how_to_clean() -> None:
    interrupts, notes = twice(0.0, 1.0), list[str]()
    released = RecordingPhase(
        "lock", starts=False, during=lambda stage: stage.at_end(lambda: notes.append("released"))
    )
    stuck = Stuck(interrupts)
    loading = RecordingPhase("loading", notes, starts=False, during=lambda stage: interrupts.arrived())
    with pytest.raises(Interrupted) as caught:
        scripted_engine(interrupts).engine.run([released, *recording_phases("A", notes=notes), stuck, loading])
    assert not any(note.startswith("undo") or note == "released" for note in notes)
    assert caught.value.cure == f"`{CLEAN}` removes it"
    assert "twice" in str(caught.value)


def test_in_the_undo_of_a_failure_the_first_ctrl_c_is_too_few() -> None:
    interrupts, notes = twice(0.0), list[str]()
    with pytest.raises(NotReady):
        scripted_engine(interrupts).engine.run(
            [RecordingPhase("A", notes), Stuck(interrupts), RecordingPhase("B", notes, run_error=LOST)]
        )
    assert notes[-1] == "undo A: python 1"


def test_ctrl_c_twice_while_an_undo_asks_for_the_lease_leaves_as_well() -> None:
    interrupts, notes = twice(0.0, 1.0), list[str]()

    def hurry() -> None:
        if any(note.startswith("run B") for note in notes):
            interrupts.arrived()
            interrupts.arrived()

    with pytest.raises(Interrupted) as caught:
        scripted_engine(interrupts).engine.run(
            [RecordingPhase("A", notes, guards=(hurry,)), RecordingPhase("B", notes, run_error=LOST)]
        )
    assert caught.value.cure == f"`{CLEAN}` removes it"
    assert caught.value.__cause__ is LOST


def test_ctrl_c_while_hosts_are_asked_why_does_not_keep_the_undo_away() -> None:
    notes: list[str] = []

    def tired(stage: Stage, error: BaseException) -> None:
        raise KeyboardInterrupt

    with pytest.raises(NotReady):
        replace(scripted_engine().engine, failed=tired).run(
            [RecordingPhase("A", notes), RecordingPhase("B", notes, run_error=LOST)]
        )
    assert notes[-2:] == ["undo B: python 2", "undo A: python 1"]


def test_a_failure_whose_undo_was_left_is_still_known() -> None:
    interrupts, notes = twice(0.0, 1.0), list[str]()
    stuck = Stuck(interrupts, times=2)
    with pytest.raises(Interrupted) as caught:
        scripted_engine(interrupts).engine.run(
            [RecordingPhase("A", notes), stuck, RecordingPhase("B", notes, run_error=LOST)]
        )
    assert caught.value.__cause__ is LOST
    assert notes[-1] != "undo A: python 1"


class Stuck(Phase):
    """A person presses Ctrl-C while it is rolled back."""

    title = "stuck"
    starts = True

    def __init__(self, interrupts: Interrupts, times: int = 1) -> None:
        self._interrupts = interrupts
        self._times = times

    def run(self, stage: Stage) -> None:
        pass

    def undo(self, stage: Stage) -> None:
        for _ in range(self._times):
            self._interrupts.arrived()


class Guarded(Phase):
    """Takes a lease that is lost as soon as the next phase wants to begin."""

    title = "Take the lease"

    def run(self, stage: Stage) -> Handover:
        return Handover(guards=(lose,))


def lose() -> None:
    raise LeaseLost("demo", Lease("bob", "desk", "2026-11-22T09:00:00+00:00", "maintenance"))


def test_a_run_whose_lease_is_lost_ends_and_takes_nothing_back() -> None:
    run, notes = scripted_engine(), list[str]()
    with pytest.raises(LeaseLost) as caught:
        run.engine.run([RecordingPhase("A", notes), Guarded(), RecordingPhase("B", notes)])
    assert [note for note in notes if note.startswith(("run", "undo"))] == ["run A: python 1"]
    assert any(CLEAN in note for note in caught.value.__notes__)


def test_an_undo_asks_first_whether_the_lease_is_still_ours() -> None:
    run, notes = scripted_engine(), list[str]()

    def check() -> None:
        if any(note.startswith("run B") for note in notes):
            lose()

    with pytest.raises(NotReady) as caught:
        run.engine.run([RecordingPhase("A", notes, guards=(check,)), RecordingPhase("B", notes, run_error=LOST)])
    assert not [note for note in notes if note.startswith("undo")]
    assert any("another operator may hold the lease" in note for note in caught.value.__notes__)


def keeping(notes: list[str], interrupts: Interrupts | None = None) -> ScriptedEngine:
    """A run that notes when it is asked to keep what hosts have to say."""
    run = scripted_engine(interrupts)
    engine = replace(run.engine, failed=lambda stage, error: notes.append(f"kept: {type(error).__name__}"))
    return replace(run, engine=engine)


def test_what_hosts_have_to_say_is_kept_before_anything_is_taken_back() -> None:
    notes: list[str] = []
    with pytest.raises(NotReady):
        keeping(notes).engine.run([RecordingPhase("A", notes), RecordingPhase("B", notes, run_error=LOST)])
    assert notes[-3:] == ["kept: NotReady", "undo B: python 2", "undo A: python 1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LOST])
def test_nothing_is_kept_of_what_was_interrupted_or_has_changed_nothing(error: BaseException) -> None:
    notes: list[str] = []
    acts = isinstance(error, KeyboardInterrupt)
    with pytest.raises((Interrupted, NotReady)):
        keeping(notes).engine.run([RecordingPhase("A", notes, acts=acts, starts=acts, run_error=error)])
    assert not any(note.startswith("kept") for note in notes)
