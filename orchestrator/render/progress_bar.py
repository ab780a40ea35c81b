"""The current work on the live screen: the bar of what is measured, and what is waited for."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from orchestrator.events import Progress
from orchestrator.render.screen import Bar, Mood, State
from orchestrator.render.text import Marks, clean, duration, quantity, standstill

_BAR = 40
#: Cells below which a bar beside its words says nothing.
_LEAST = 12


def under_way(state: State, now: float, width: int, marks: Marks) -> list[Text]:
    """Lines, none where a phase says nothing of itself."""
    if _between_phases(state):
        return [Text(" inspecting the hosts", "dim")]
    bar = _bar(state.bar, now, width, marks) if state.bar else []
    return [*bar, *_waiting(state, now)]


def _between_phases(state: State) -> bool:
    """The hosts are looked at before each phase, and one of them may take its time."""
    moods = {row.mood for row in state.rows}
    return bool(state.verb) and not moods & {Mood.RUNNING, Mood.FAILED, Mood.UNDONE}


def _waiting(state: State, now: float) -> list[Text]:
    """What was seen last has a line of its own, so that nothing jumps when it changes."""
    waiting = state.waiting
    if waiting is None:
        return []
    since = max(now - state.asked, 0)
    line = Text(" waiting ", "yellow").append(duration(round(waiting.seconds + since)), "bold")
    rows = [line.append(f" for {clean(waiting.what)}")]
    if last := clean(waiting.last):
        rows.append(Text(f"   {last}", "dim"))
    still = standstill(waiting.quiet + since, waiting.patience)
    return [*rows, Text(f"   {still}", "yellow")] if still else rows


def _bar(bar: Bar, now: float, width: int, marks: Marks) -> list[Text]:
    """On a narrow screen it has a line of its own below its words."""
    progress = bar.progress
    what, pace = f" {clean(progress.what)} ", _pace(bar, now)
    words = f" {quantity(progress.done, progress.total, progress.unit)}"
    cells = min(_BAR, width - cell_len(what) - cell_len(words + "".join(pace)))
    if cells >= _LEAST:
        return [Text(what).append_text(_filled(progress, cells, marks)).append(words + "".join(pace))]
    left = pace[-1].replace(", ", " ", 1) if pace else ""
    below = Text(" ").append_text(_filled(progress, max(min(_BAR, width - 1 - cell_len(left)), 0), marks))
    return [Text(what.rstrip()).append(words), below.append(left)]


def _filled(progress: Progress, cells: int, marks: Marks) -> Text:
    share = min(max(progress.done / progress.total, 0.0), 1.0) if progress.total > 0 else 0.0
    full = int(cells * share)
    return Text(marks.full * full, "cyan").append(marks.rest * (cells - full), "dim")


def _pace(bar: Bar, now: float) -> tuple[str, ...]:
    """The rate and the time left, once they are known."""
    left = bar.left(now)
    if left is None or bar.progress.done >= bar.progress.total:
        return ()
    unit = bar.progress.unit
    speed = bar.rate(now)
    rate = f"{speed:.2f} {unit}/s" if speed >= 0.1 else f"{60 * speed:.1f} {unit}/min"
    return f", {rate}", f", {duration(max(round(left), 10))} left"
