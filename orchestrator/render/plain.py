"""One line an event, for logs and for operators without a live screen. Why a phase failed is one as well; at the
end it is shown in full."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from cluster.errors import ClusterError
from orchestrator import events
from orchestrator.render import announce, findings, text
from orchestrator.render.failure import brief

#: Seconds between two lines on the same wait or the same progress; an hour of loading stays readable.
_EVERY = 10.0


def sink(stream: TextIO, now: Callable[[], float] = time.monotonic) -> events.Sink:
    """Writes a line an event to `stream`, with the time since the run began."""
    marks, began, worth = text.marks_for(stream), now(), throttle()

    def show(event: events.Event) -> None:
        elapsed = now() - began
        words = line(event, elapsed, marks) if worth(event, elapsed) else None
        if words is not None:
            text.write(stream, words + "\n")

    return show


def line(event: events.Event, elapsed: float, marks: text.Marks = text.UNICODE) -> str | None:
    """The event after `elapsed` seconds as a line. The announcement goes to stdout and has none. Host activity
    and log lines pass too fast and have none; a wait sums them up."""
    words = _words(event, marks)
    return f"{text.clock(elapsed):>7}  {words}" if words else None


def throttle(every: float = _EVERY) -> Callable[[events.Event, float], bool]:
    """Whether an event deserves a line: of a wait or a progress one each `every` seconds."""
    shown: dict[tuple[type, str, bool], float] = {}

    def worth(event: events.Event, elapsed: float) -> bool:
        if isinstance(event, events.HostActivity | events.LastLogLine):
            return False
        if not isinstance(event, events.Progress | events.Waiting):
            shown.clear()
            return True
        ended = isinstance(event, events.Progress) and event.done >= event.total
        key = (type(event), event.what, ended)
        if key in shown and elapsed - shown[key] < every:
            return False
        shown[key] = elapsed
        return True

    return worth


def _words(event: events.Event, marks: text.Marks) -> str:
    match event:
        case events.RunStarted(verb, cluster, hosts):
            return f"{verb} {cluster} on {text.count(len(hosts), 'host')}: {', '.join(hosts)}"
        case events.FindingExcused(excused):
            return f"{marks.unknown} {findings.excused_line(excused)}"
        case events.FindingReported(finding):
            return f"{findings.mark_of(finding.severity, marks)} {findings.one_line(finding)}"
        case events.HostMessage():
            return f"{marks.dot} {f'{event.host}: ' if event.host else ''}{text.clean(event.line)}"
        case events.Progress(what, done, total, unit):
            return f"{marks.dot} {text.clean(what)}: {text.quantity(done, total, unit)}"
        case events.Waiting(what, seconds, last, quiet, patience, _):
            still = text.standstill(quiet, patience)
            latest = f": {text.short(last)}" if last.strip() else ""
            words = f"{marks.dot} waiting for {text.clean(what)}, {text.duration(seconds)}{latest}"
            return f"{words}; {still}" if still else words
        case events.TransportDetected(transport):
            return f"{marks.dot} transport: {text.clean(announce.network(transport))}"
        case events.EngineReady(None):
            return f"{marks.dot} the engine is healthy"
        case events.EngineReady(tokens):
            return f"{marks.dot} the engine is healthy, {tokens:,} tokens of KV cache"
        case events.EndpointVerified(url, origin, _):
            return f"{marks.dot} {text.clean(url)} gave a token, asked from {text.clean(origin)}"
        case events.Announced() | events.HostActivity() | events.LastLogLine():
            return ""
    return _phase_words(event, marks)


def _phase_words(
    event: events.PhaseStarted | events.PhaseSkipped | events.PhaseDone | events.PhaseFailed | events.RolledBack,
    marks: text.Marks,
) -> str:
    match event:
        case events.PhaseStarted(title):
            return f"{marks.running} {title}"
        case events.PhaseSkipped(title, reason):
            return f"{marks.skipped} {title}: skipped, {text.clean(reason)}"
        case events.PhaseDone(title, seconds):
            return f"{marks.done} {title}: done in {text.duration(seconds)}"
        case events.PhaseFailed(title, seconds, error):
            return f"{marks.failed} {title}: failed after {text.duration(seconds)}: {brief(error)}"
        case events.RolledBack(title, None):
            return f"{marks.undone} {title}: rolled back"
        case events.RolledBack(title, ClusterError()):
            return f"{marks.failed} {title}: could not be rolled back"
    raise AssertionError(event)
