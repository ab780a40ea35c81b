"""The live screen as it is painted, through a real rich console."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from cluster.errors import NotReady
from orchestrator.events import (
    Event,
    HostActivity,
    HostMessage,
    PhaseDone,
    PhaseFailed,
    PhaseStarted,
    Progress,
    RunStarted,
)
from orchestrator.render.paint import paint, summary
from orchestrator.render.screen import State, reduce
from orchestrator.render.text import ASCII, UNICODE, Marks
from tests.orchestrator.render import story

LOW = """\
up ernie  2 hosts                                       2:25
 ⠋ Load the model     2 min 17 s
 weights 67.2 of 790.3 GiB
 ━━━───────────────────────────────────── 12 min 01 s left
 waiting 2 min 17 s for the model to load
   loading weights (13 of 163 shards)"""

NARROW = """\
up ernie  2 hosts                   2:25

 ✓ Observe hosts           1.2 s
 ✓ Check hosts             0.2 s
 – Start Ray head                 alive…
 ✓ Join Ray workers        4.1 s
 ✓ Prove every GPU         2.4 s
 ⠋ Load the model     2 min 17 s

 → gpu-a  33.7 GiB read, 0.50 GiB/s
 ! gpu-b  33.5 GiB read, 0.50 GiB/s

 weights 67.2 of 790.3 GiB
 ━───────────────────── 12 min 01 s left
 waiting 2 min 17 s for the model to lo…
   loading weights (13 of 163 shards)
   no progress for 11 s, gives up at 15…

 warning: gpu-b: /dev/shm: 4.0 GiB, wan…
 gpu-b: Ray runtime started.
 gpu-a: (EngineCore pid=5120) Starting …
 gpu-a: Loading safetensors checkpoint …"""


def after(events: tuple[tuple[float, Event], ...]) -> State:
    state = State(began=0.0)
    for at, event in events:
        state = reduce(state, event, at)
    return state


def painted(state: State, now: float, width: int, height: int, marks: Marks = UNICODE) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, force_terminal=True, color_system=None)
    console.print(paint(state, now, width, height, marks))
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n"))


def test_a_wide_screen() -> None:
    assert (
        painted(after(story.GOOD), 145.0, 100, 30)
        == """\
up ernie  2 hosts                                                                               2:25

 ✓ Observe hosts                         1.2 s
 ✓ Check hosts                           0.2 s
 – Start Ray head                               alive since 2 h 03 min with the same arguments
 ✓ Join Ray workers                      4.1 s
 ✓ Prove every GPU                       2.4 s
 ⠋ Load the model                   2 min 17 s

 → gpu-a  33.7 GiB read, 0.50 GiB/s
 ! gpu-b  33.5 GiB read, 0.50 GiB/s

 weights ━━━───────────────────────────────────── 67.2 of 790.3 GiB, 1.00 GiB/s, 12 min 01 s left
 waiting 2 min 17 s for the model to load
   loading weights (13 of 163 shards)
   no progress for 11 s, gives up at 15 min 00 s

 warning: gpu-b: /dev/shm: 4.0 GiB, wanted 16.0 GiB (mount -o remount,size=16G /dev/shm)
 gpu-b: Ray runtime started.
 gpu-a: (EngineCore pid=5120) Starting to load model baidu/ERNIE-4.5-VL-424B-A47B-PT...
 gpu-a: Loading safetensors checkpoint shards:   8% Completed | 13/163"""
    )


def test_a_narrow_screen_cuts_words_and_keeps_times() -> None:
    assert painted(after(story.GOOD), 145.0, 40, 24) == NARROW
    titled = after(((0.0, PhaseStarted("Wait until the engine is ready")),))
    assert painted(titled, 312.0, 40, 24).splitlines()[-1] == " ⠇ Wait until the engine…   5 min 12 s"


def test_many_hosts_are_one_line_with_those_in_trouble_first() -> None:
    names = tuple(f"gpu-{number}" for number in range(16))
    doing = tuple((1.0, HostActivity(name, "1.0 GiB read")) for name in names)
    shown = painted(after(((0.0, RunStarted("up", "ernie", names)), *doing)), 1.0, 100, 24)
    assert "1.0 GiB read" not in shown
    assert " → gpu-0  → gpu-1  → gpu-2" in shown


def test_a_failure_is_explained_while_it_is_taken_back() -> None:
    shown = painted(after(story.BAD), 161.0, 100, 40)
    assert "  cause  no rank has read a byte for 30 min\n  next   orchestrator diagnose" in shown
    narrow = painted(after(story.BAD), 161.0, 40, 40)
    assert "  cause  no rank has read a byte for 30\n         min\n" in narrow


def test_a_narrow_low_screen_keeps_what_goes_on_now() -> None:
    assert painted(after(story.GOOD), 145.0, 60, 6) == LOW


def test_ascii_alone_where_the_terminal_has_no_more() -> None:
    state = reduce(after(story.GOOD), HostMessage("gpu-a", "8 × H100"), 145.0)
    shown = painted(state, 145.0, 60, 30, ASCII)
    assert shown.isascii()
    assert " gpu-a: 8 ? H100" in shown


def test_markup_in_what_a_host_says_stays_words() -> None:
    state = reduce(after(story.GOOD), HostMessage("gpu-a", "[red]FAILED[/red] [/] \x1b[31m"), 145.0)
    assert " gpu-a: [red]FAILED[/red] [/]" in painted(state, 145.0, 100, 30)


def test_failed_hosts_come_first() -> None:
    assert "\n ✗ gpu-a  ! gpu-b\n" in painted(after(story.BAD), 161.0, 100, 30)


def test_colours_unless_the_person_wants_none() -> None:
    streams = {no_color: io.StringIO() for no_color in (True, False)}
    for no_color, stream in streams.items():
        console = Console(
            file=stream,
            width=80,
            force_terminal=True,
            color_system="standard",
            no_color=no_color,
            legacy_windows=False,
        )
        console.print(paint(after(story.BAD), 161.0, 80, 24))
    assert "\x1b[1;31m✗" in streams[False].getvalue()
    assert "\x1b[1;31m" not in streams[True].getvalue()


def test_the_summary_says_what_was_broken_off() -> None:
    assert (
        summary(after(story.GOOD), 145.0, 100).plain.splitlines()[-1]
        == " ! Load the model                   2 min 17 s  interrupted"
    )


def test_the_summary_leaves_the_reasons_to_what_comes_after_it() -> None:
    assert "waited" in paint(after(story.BAD), 161.0, 100, 30).plain
    assert "waited" not in summary(after(story.BAD), 161.0, 100).plain


def test_between_two_phases_the_hosts_are_looked_at() -> None:
    begun = ((0.0, RunStarted("up", "ernie", ("gpu-a",))),)
    looking = "inspecting the hosts"
    assert looking in painted(after(begun), 1.0, 60, 20)
    first = (*begun, (1.0, PhaseStarted("Check the hosts")))
    assert looking not in painted(after(first), 2.0, 60, 20)
    assert looking in painted(after((*first, (2.0, PhaseDone("Check the hosts", 1.0)))), 3.0, 60, 20)
    failed = PhaseFailed("Check the hosts", 1.0, NotReady("the head", 1.0, ""))
    assert looking not in painted(after((*first, (2.0, failed))), 3.0, 60, 20)


def test_before_anything_is_known() -> None:
    assert paint(State(began=0.0), 1.0, 30, 5).plain == "starting                  0:01"


WORDS = st.text(max_size=30)
EVENTS = st.one_of(
    st.sampled_from([event for _, event in story.BAD]),
    st.builds(HostMessage, WORDS, WORDS),
    st.builds(PhaseStarted, st.sampled_from(["Join Ray workers", "起動する", "Serve"])),
    st.builds(Progress, WORDS, st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(["%", "GiB"])),
    st.builds(RunStarted, WORDS, WORDS, st.tuples(WORDS, WORDS)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=25), st.integers(1, 130), st.integers(1, 40), st.sampled_from([UNICODE, ASCII]))
def test_no_events_and_no_size_break_the_screen(
    events: list[Event], width: int, height: int, marks: Marks
) -> None:
    state = after(tuple((float(at), event) for at, event in enumerate(events)))
    rows = paint(state, 30.0, width, height, marks).plain.split("\n")
    assert len(rows) <= height
    assert max(map(cell_len, rows)) <= width
