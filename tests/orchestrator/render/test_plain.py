"""A line an event."""

from __future__ import annotations

import io

import pytest

from cluster.values import Finding, NcclTransport
from orchestrator import events
from orchestrator.render import plain
from orchestrator.render.text import ASCII
from tests.orchestrator.render import story


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (events.RunStarted("up", "ernie", ("gpu-a", "gpu-b")), "up ernie on 2 hosts: gpu-a, gpu-b"),
        (events.PhaseStarted("Join Ray workers"), "→ Join Ray workers"),
        (events.PhaseSkipped("Join Ray workers", "alive"), "– Join Ray workers: skipped, alive"),
        (events.PhaseDone("Join Ray workers", 4.13), "✓ Join Ray workers: done in 4.1 s"),
        (
            events.PhaseFailed("Join Ray workers", 4.13, story.failed),
            "✗ Join Ray workers: failed after 4.1 s: gpu-b: could not start the Ray worker (exit status 1): "
            "its Ray or Python differs from the head's",
        ),
        (events.RolledBack("Join Ray workers"), "↶ Join Ray workers: rolled back"),
        (
            events.RolledBack("Join Ray workers", story.unreachable),
            "✗ Join Ray workers: could not be rolled back",
        ),
        (
            events.FindingReported(story.SHM),
            "! gpu-b: /dev/shm: 4.0 GiB, wanted 16.0 GiB (mount -o remount,size=16G /dev/shm)",
        ),
        (
            events.FindingReported(Finding("libcuda", "", "unchecked", "no libcuda")),
            "? libcuda: not checked: no libcuda",
        ),
        (
            events.HostMessage("gpu-a", "\x1b[31mApplication\nstartup complete.\x1b[0m"),
            "· gpu-a: Application startup complete.",
        ),
        (events.HostMessage("", "lease of anna taken over"), "· lease of anna taken over"),
        (
            events.HostMessage("gpu-a", "it is lost", "warning", "no route", "see to it"),
            "· gpu-a: warning: it is lost: no route (see to it)",
        ),
        (events.Progress("weights", 33.5, 790.3, "GiB"), "· weights: 33.5 of 790.3 GiB"),
        (events.Waiting("one token", 72, ""), "· waiting for one token, 1 min 12 s"),
        (events.Waiting("one token", 72, "x" * 9999), f"· waiting for one token, 1 min 12 s: {'x' * 400} .."),
        (events.Waiting("one token", 72, "HTTP 503"), "· waiting for one token, 1 min 12 s: HTTP 503"),
        (events.Waiting("one token", 72, "HTTP 503", 9.0, 600.0), "· waiting for one token, 1 min 12 s: HTTP 503"),
        (
            events.Waiting("one token", 72, "HTTP 503", 60.0, 600.0),
            "· waiting for one token, 1 min 12 s: HTTP 503; no progress for 1 min 00 s, gives up at 10 min 00 s",
        ),
        (
            events.TransportDetected(story.TRANSPORT),
            "· transport: NET/IB/GDRDMA (Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA)",
        ),
        (events.TransportDetected(NcclTransport("unknown")), "· transport: unknown"),
        (events.EngineReady(1_203_456), "· the engine is healthy, 1,203,456 tokens of KV cache"),
        (events.EngineReady(None), "· the engine is healthy"),
        (
            events.EndpointVerified("http://10.0.0.1:8000", "gpu-a", "\n"),
            "· http://10.0.0.1:8000 gave a token, asked from gpu-a",
        ),
    ],
)
def test_every_event_is_one_line(event: events.Event, shown: str) -> None:
    assert plain.line(event, 65.9) == f"   1:05  {shown}"


def test_the_announcement_goes_to_stdout_and_not_here() -> None:
    assert plain.line(events.Announced(story.ANNOUNCEMENT), 1) is None
    assert plain.line(events.HostActivity("gpu-a", "33.7 GiB read"), 1) is None
    assert plain.line(events.LastLogLine("gpu-a", "Loading"), 1) is None


def test_ascii() -> None:
    assert (
        plain.line(events.PhaseDone("Observe hosts", 1.2), 1, ASCII) == "   0:01  + Observe hosts: done in 1.2 s"
    )


def test_the_sink_writes_with_the_time_since_it_was_made() -> None:
    times, stream = iter([100.0, 100.0, 104.2, 105.0]), io.StringIO()
    sink = plain.sink(stream, lambda: next(times))
    sink(events.PhaseStarted("Observe hosts"))
    sink(events.PhaseDone("Observe hosts", 4.2))
    sink(events.Announced(story.ANNOUNCEMENT))
    assert stream.getvalue() == "   0:00  → Observe hosts\n   0:04  ✓ Observe hosts: done in 4.2 s\n"


def test_an_hour_of_waiting_is_a_line_every_ten_seconds() -> None:
    worth = plain.throttle(10)
    shown = [second for second in range(0, 31) if worth(events.Waiting("one token", second, ""), second)]
    assert shown == [0, 10, 20, 30]


def test_the_end_of_a_progress_and_another_one_are_always_shown() -> None:
    worth = plain.throttle(10)
    shown = [
        events.Progress("weights", 99, 100, "%"),
        events.Progress("weights", 100, 100, "%"),
        events.Progress("graphs", 1, 67, ""),
    ]
    assert [worth(event, 0) for event in shown] == [True, True, True]
    assert not worth(events.Progress("weights", 99, 100, "%"), 1)


def test_an_end_that_is_said_again_and_again_is_shown_once_in_a_while() -> None:
    worth = plain.throttle(10)
    shown = [second for second in range(0, 31) if worth(events.Progress("weights", 13, 13, "shards"), second)]
    assert shown == [0, 10, 20, 30]


def test_what_gets_no_line_does_not_bring_a_wait_back() -> None:
    """Each look at hosts that load says what they are at, and with it a wait would have a line a second."""
    worth = plain.throttle(10)
    shown = []
    for second in range(0, 31):
        unseen = (events.HostActivity("gpu-a", "1.9 GiB read"), events.LastLogLine("gpu-a", f"line {second}"))
        assert not any(worth(event, second) for event in unseen)
        shown += [second] if worth(events.Waiting("the engine", second, ""), second) else []
    assert shown == [0, 10, 20, 30]


def test_a_new_phase_begins_anew() -> None:
    worth = plain.throttle(10)
    waiting = events.Waiting("one token", 1, "")
    assert [worth(event, 0) for event in (waiting, waiting, events.PhaseStarted("Ready"), waiting)] == [
        True,
        False,
        True,
        True,
    ]
