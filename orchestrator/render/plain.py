"""One line an event, for logs and for operators without a live screen. Why a phase failed is one as well; at the
end it is shown in full."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from cluster.errors import ClusterError
from orchestrator.events import (
    Announced,
    EndpointVerified,
    EngineReady,
    Event,
    FindingExcused,
    FindingReported,
    HostActivity,
    HostMessage,
    LastLogLine,
    PhaseDone,
    PhaseFailed,
    PhaseSkipped,
    PhaseStarted,
    Progress,
    RolledBack,
    RunStarted,
    Sink,
    TransportDetected,
    Waiting,
)
from orchestrator.render import announce, findings
from orchestrator.render.one_line import brief
from orchestrator.render.text import (
    UNICODE,
    Marks,
    clean,
    clock,
    count,
    duration,
    marks_for,
    quantity,
    standstill,
    write,
)

#: Seconds between two lines on the same wait or the same progress; an hour of loading stays readable.
_EVERY = 10.0


def sink(stream: TextIO, now: Callable[[], float] = time.monotonic) -> Sink:
    """Writes a line an event to `stream`, with the time since the run began."""
    marks, began, worth = marks_for(stream), now(), throttle()

    def show(event: Event) -> None:
        elapsed = now() - began
        text = line(event, elapsed, marks) if worth(event, elapsed) else None
        if text is not None:
            write(stream, text + "\n")

    return show


def line(event: Event, elapsed: float, marks: Marks = UNICODE) -> str | None:
    """The event after `elapsed` seconds; None where it goes elsewhere (the announcement, to stdout), or passes too
    fast to be read as lines (what hosts are at, and their logs: a wait says that in a word)."""
    words = _words(event, marks)
    return f"{clock(elapsed):>7}  {words}" if words else None


def throttle(every: float = _EVERY) -> Callable[[Event, float], bool]:
    """Whether an event deserves a line: of a wait or a progress one each `every` seconds."""
    shown: dict[tuple[type, str, bool], float] = {}

    def worth(event: Event, elapsed: float) -> bool:
        if isinstance(event, HostActivity | LastLogLine):
            return False
        if not isinstance(event, Progress | Waiting):
            shown.clear()
            return True
        ended = isinstance(event, Progress) and event.done >= event.total
        key = (type(event), event.what, ended)
        if key in shown and elapsed - shown[key] < every:
            return False
        shown[key] = elapsed
        return True

    return worth


def _words(event: Event, marks: Marks) -> str:
    match event:
        case RunStarted(verb, cluster, hosts):
            return f"{verb} {cluster} on {count(len(hosts), 'host')}: {', '.join(hosts)}"
        case FindingExcused(excused):
            return f"{marks.unknown} {findings.excused_line(excused)}"
        case FindingReported(finding):
            return f"{findings.mark_of(finding.severity, marks)} {findings.one_line(finding)}"
        case HostMessage():
            return f"{marks.dot} {f'{event.host}: ' if event.host else ''}{clean(event.line)}"
        case Progress(what, done, total, unit):
            return f"{marks.dot} {clean(what)}: {quantity(done, total, unit)}"
        case Waiting(what, seconds, last, quiet, patience, _):
            still = standstill(quiet, patience)
            words = f"{marks.dot} waiting for {clean(what)}, {duration(seconds)}{_after(last)}"
            return f"{words}; {still}" if still else words
        case TransportDetected(transport):
            return f"{marks.dot} transport: {clean(announce.network(transport))}"
        case EngineReady(None):
            return f"{marks.dot} the engine is healthy"
        case EngineReady(tokens):
            return f"{marks.dot} the engine is healthy, {tokens:,} tokens of KV cache"
        case EndpointVerified(url, origin, _):
            return f"{marks.dot} {clean(url)} gave a token, asked from {clean(origin)}"
        case Announced() | HostActivity() | LastLogLine():
            return ""
    return _phase_words(event, marks)


def _phase_words(event: PhaseStarted | PhaseSkipped | PhaseDone | PhaseFailed | RolledBack, marks: Marks) -> str:
    match event:
        case PhaseStarted(title):
            return f"{marks.running} {title}"
        case PhaseSkipped(title, reason):
            return f"{marks.skipped} {title}: skipped, {clean(reason)}"
        case PhaseDone(title, seconds):
            return f"{marks.done} {title}: done in {duration(seconds)}"
        case PhaseFailed(title, seconds, error):
            return f"{marks.failed} {title}: failed after {duration(seconds)}: {brief(error)}"
        case RolledBack(title, None):
            return f"{marks.undone} {title}: taken back"
        case RolledBack(title, ClusterError()):
            return f"{marks.failed} {title}: could not be taken back"
    raise AssertionError(event)


def _after(last: str) -> str:
    return f": {clean(last)}" if last.strip() else ""
