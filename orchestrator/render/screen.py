"""What the live screen knows: a state, and a pure reducer from events to the next one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestrator import events
from orchestrator.render import announce, failure, findings
from orchestrator.render.failure import blamed
from orchestrator.render.text import clean, duration

#: Lines kept; a screen shows as many of them as it has room for.
_KEPT = 50
#: Seconds over which the rate of a progress is taken.
_WINDOW = 60.0


class Mood(StrEnum):
    """How a phase or a host fares; each has a mark and a style in the painter."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True)
class Row:
    """One phase."""

    title: str
    mood: Mood
    began: float
    seconds: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """The progress of one thing, with the samples (time, done) that give its rate."""

    progress: events.Progress
    samples: tuple[tuple[float, float], ...]

    def rate(self, now: float) -> float:
        """Per second; falls while nothing comes."""
        (since, at_first), (_, at_last) = self.samples[0], self.samples[-1]
        return (at_last - at_first) / (now - since) if now - since >= 1 else 0.0

    def left(self, now: float) -> float | None:
        """Seconds to go at this rate."""
        rate = self.rate(now)
        return (self.progress.total - self.progress.done) / rate if rate > 0 else None


@dataclass(frozen=True)
class State:
    """The content of the screen. Times are those of the clock that the reducer was handed.

    `doing` is what hosts are at in this phase, `why` explains the phase that failed, `log_line` is the last of a
    log.
    """

    began: float
    verb: str = ""
    cluster: str = ""
    hosts: tuple[tuple[str, Mood], ...] = ()
    rows: tuple[Row, ...] = ()
    bar: Bar | None = None
    waiting: events.Waiting | None = None
    asked: float = 0.0
    messages: tuple[str, ...] = ()
    doing: tuple[tuple[str, str], ...] = ()
    why: tuple[str, ...] = ()
    log_line: str = ""


def reduce(state: State, event: events.Event, now: float) -> State:
    """The state after `event`, which came at `now`."""
    match event:
        case events.RunStarted(verb, cluster, hosts):
            idle = tuple((host, Mood.IDLE) for host in hosts)
            return State(began=now, verb=verb, cluster=cluster, hosts=idle)
        case events.FindingExcused(excused):
            return _with_message(state, findings.excused_line(excused))
        case events.FindingReported(finding):
            warned = _with_message(state, f"{finding.severity}: {findings.one_line(finding)}")
            return _with_mood(warned, [finding.host], Mood.WARNING)
        case events.HostMessage(host):
            line = f"{host}: {event.line}" if host else event.line
            return _with_mood(_with_message(state, line), [host], Mood.RUNNING)
        case events.Progress():
            return replace(state, bar=_moved(state.bar, event, now))
        case events.Waiting():
            return replace(state, waiting=event, asked=now)
        case events.HostActivity(host, what):
            others = ((name, activity) for name, activity in state.doing if name != host)
            return _with_mood(replace(state, doing=(*others, (host, clean(what)))), [host], Mood.RUNNING)
        case events.LastLogLine(host, line):
            return replace(state, log_line=f"{host}: {clean(line)}")
        case events.TransportDetected(transport):
            return _with_message(state, f"transport: {announce.network(transport)}")
        case events.EngineReady() | events.EndpointVerified():
            return replace(state, waiting=None)
        case events.Announced(announcement):
            return _with_mood(state, announcement.hosts, Mood.DONE)
    return _phase(state, event, now)


def _phase(
    state: State,
    event: events.PhaseStarted | events.PhaseSkipped | events.PhaseDone | events.PhaseFailed | events.RolledBack,
    now: float,
) -> State:
    """Whatever was waited for or in progress belonged to the phase before."""
    fresh = replace(state, bar=None, waiting=None, doing=())
    match event:
        case events.PhaseStarted(title):
            return replace(fresh, rows=(*state.rows, Row(title, Mood.RUNNING, now)))
        case events.PhaseSkipped(title, reason):
            return _ended(fresh, Row(title, Mood.SKIPPED, now, None, clean(reason)))
        case events.PhaseDone(title, seconds):
            return _ended(fresh, Row(title, Mood.DONE, now, seconds))
        case events.PhaseFailed(title, seconds, error):
            row = Row(title, Mood.FAILED, now, seconds, failure.headline(error))
            failed = replace(_ended(fresh, row), why=tuple(failure.lines(error).splitlines()))
            return _with_mood(failed, blamed(error), Mood.FAILED)
    return _undone(fresh, event)


def _undone(state: State, event: events.RolledBack) -> State:
    """The row keeps its time; a failed phase stays failed, and its rollback is a note."""
    row = next((row for row in reversed(state.rows) if row.title == event.title), None)
    if row is None:
        row = Row(event.title, Mood.DONE, state.began)
    if event.error is not None:
        note = f"could not be rolled back: {failure.headline(event.error)}"
        return _ended(state, replace(row, mood=Mood.FAILED, note=note))
    took = f" after {duration(row.seconds)}" if row.seconds is not None else ""
    if row.mood is Mood.FAILED:
        return _ended(state, replace(row, note=f"{row.note} (rolled back)"))
    return _ended(state, replace(row, mood=Mood.UNDONE, note=f"rolled back{took}"))


def _ended(state: State, ended: Row) -> State:
    """The latest row of this title becomes `ended`; a phase may run twice (observe does)."""
    again = ended.mood in (Mood.UNDONE, Mood.FAILED)
    for at, row in reversed(list(enumerate(state.rows))):
        if row.title == ended.title and (again or row.mood is Mood.RUNNING):
            row = replace(ended, began=row.began)
            return replace(state, rows=(*state.rows[:at], row, *state.rows[at + 1 :]))
    return replace(state, rows=(*state.rows, ended))


def _moved(bar: Bar | None, progress: events.Progress, now: float) -> Bar:
    """A restart (another thing, or less than before) begins a new measure."""
    if bar is None or bar.progress.what != progress.what or progress.done < bar.progress.done:
        return Bar(progress, ((now, progress.done),))
    recent = tuple(sample for sample in bar.samples if now - sample[0] <= _WINDOW) or bar.samples[-1:]
    return Bar(progress, (*recent, (now, progress.done)))


def _with_message(state: State, line: str) -> State:
    return replace(state, messages=(*state.messages, clean(line))[-_KEPT:])


def _with_mood(state: State, names: Iterable[str], mood: Mood) -> State:
    """A host in trouble stays so until it is announced or fails: words alone do not heal it."""
    heals = mood is not Mood.RUNNING
    touched = set(names)
    hosts = tuple(
        (name, mood if name in touched and (heals or old is Mood.IDLE) else old) for name, old in state.hosts
    )
    return replace(state, hosts=hosts)
