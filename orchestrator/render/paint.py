"""The live screen as styled lines: a pure function of the state, the time and the size of the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from rich.cells import cell_len
from rich.text import Text

from orchestrator.render.screen import Bar, Mood, Row, State
from orchestrator.render.text import ASCII, UNICODE, Marks, clean, clock, count, duration, quantity

_STYLES = {
    Mood.IDLE: "dim",
    Mood.RUNNING: "cyan",
    Mood.DONE: "green",
    Mood.SKIPPED: "dim",
    Mood.WARNING: "yellow",
    Mood.FAILED: "bold red",
    Mood.UNDONE: "yellow",
}
_BAR = 40
_SPINS = 4


def paint(state: State, now: float, width: int, height: int, marks: Marks = UNICODE) -> Text:
    """A screen of at most `height` lines of at most `width` cells; the most important come first to stay."""
    header, phases = [_header(state, now, width)], _phases(state, now, width, marks)
    hosts, doing, said = _hosts(state, marks), _doing(state, now, width, marks), _words(state)
    sections = _fitted([header, phases, hosts, doing, said], height)
    return _joined(chain.from_iterable(_spaced(sections, height)), width, marks)


def summary(state: State, now: float, width: int, marks: Marks = UNICODE) -> Text:
    """What stays in the terminal after the screen is gone: the phases with their times. Why one failed comes after
    it, in full."""
    rows = tuple(_left(row, now) for row in state.rows)
    left = replace(state, rows=rows)
    return _joined([_header(left, now, width), *_phases(left, now, width, marks)], width, marks)


def _left(row: Row, now: float) -> Row:
    if row.mood is Mood.RUNNING:
        return replace(row, mood=Mood.WARNING, seconds=now - row.began, note="broken off")
    return replace(row, note="") if row.mood is Mood.FAILED else row


def _joined(rows: Iterable[Text], width: int, marks: Marks) -> Text:
    return Text("\n", no_wrap=True, overflow="crop").join(_cut(row, width, marks) for row in rows)


def _fitted(sections: list[list[Text]], height: int) -> list[list[Text]]:
    """Cut to the height: the header and what goes on now stay whole, then the latest phases, hosts, words."""
    room = max(height, 1)
    kept = [list[Text]() for _ in sections]
    for at in (0, 3, 1, 2, 4):
        rows = sections[at]
        kept[at] = rows[len(rows) - room :] if len(rows) > room else rows
        room -= len(kept[at])
        if room <= 0:
            break
    return kept


def _spaced(sections: list[list[Text]], height: int) -> list[list[Text]]:
    """Empty lines between the sections, where there is room for all of them."""
    filled = [rows for rows in sections if rows]
    if sum(map(len, filled)) + len(filled) - 1 > height:
        return filled
    return [[*rows, Text("")] for rows in filled[:-1]] + filled[-1:]


def _header(state: State, now: float, width: int) -> Text:
    what = Text(clean(f"{state.verb} {state.cluster}").strip() or "starting", style="bold")
    if state.hosts:
        what.append(f"  {count(len(state.hosts), 'host')}", style="dim")
    elapsed = clock(now - state.began)
    gap = max(width - cell_len(what.plain) - len(elapsed), 1)
    return what.append(" " * gap).append(elapsed, style="bold")


def _phases(state: State, now: float, width: int, marks: Marks) -> list[Text]:
    titles = min(max((cell_len(row.title) for row in state.rows), default=0), max(width - 18, 8))
    return [_phase(row, now, titles, marks) for row in state.rows]


def _phase(row: Row, now: float, titles: int, marks: Marks) -> Text:
    style = _STYLES[row.mood]
    mark = _spin(now, marks) if row.mood is Mood.RUNNING else _mark(row.mood, marks)
    took = now - row.began if row.mood is Mood.RUNNING else row.seconds
    title = row.title + " " * (titles - cell_len(row.title))
    line = Text(" ").append(mark, style).append(f" {title}", "bold" if row.mood is Mood.RUNNING else style)
    line.append(f" {duration(took) if took is not None else '':>12}", "dim")
    return line.append(f"  {row.note}", style) if row.note else line


def _hosts(state: State, marks: Marks) -> list[Text]:
    """All on one line: with many hosts it is those in trouble that matter, so they come first."""
    worst = sorted(state.hosts, key=lambda host: (host[1] is not Mood.FAILED, host[1] is not Mood.WARNING))
    chips = [Text(f"{_mark(mood, marks)} {clean(name)}", _STYLES[mood]) for name, mood in worst]
    return [Text(" ").append_text(Text("  ").join(chips))] if chips else []


def _doing(state: State, now: float, width: int, marks: Marks) -> list[Text]:
    rows = [_bar(state.bar, now, width, marks)] if state.bar else []
    if state.waiting is not None:
        waited = state.waiting.seconds + max(now - state.asked, 0)
        line = Text(" waiting ", "yellow").append(duration(round(waited)), "bold")
        line.append(f" for {clean(state.waiting.what)}")
        rows.append(line.append(f": {clean(state.waiting.last)}" if state.waiting.last else "", "dim"))
    return rows


def _bar(bar: Bar, now: float, width: int, marks: Marks) -> Text:
    """On a narrow screen the words matter more than the bar."""
    progress = bar.progress
    share = min(max(progress.done / progress.total, 0.0), 1.0) if progress.total > 0 else 0.0
    words = f" {quantity(progress.done, progress.total, progress.unit)}{_pace(bar, now)}"
    what = f" {clean(progress.what)} "
    cells = min(_BAR, width - cell_len(what) - cell_len(words))
    line = Text(what)
    if cells >= 6:
        full = int(cells * share)
        line.append(marks.full * full, "cyan").append(marks.rest * (cells - full), "dim")
    return line.append(words)


def _pace(bar: Bar, now: float) -> str:
    """The rate and the time left, once they are known."""
    left = bar.left(now)
    if left is None or bar.progress.done >= bar.progress.total:
        return ""
    unit = bar.progress.unit
    speed = bar.rate(now)
    rate = f"{speed:.2f} {unit}/s" if speed >= 0.1 else f"{60 * speed:.1f} {unit}/min"
    return f", {rate}, {duration(max(round(left), 10))} left"


def _words(state: State) -> list[Text]:
    return [Text(f" {line}", "dim") for line in state.said]


def _mark(mood: Mood, marks: Marks) -> str:
    return {
        Mood.IDLE: marks.idle,
        Mood.RUNNING: marks.running,
        Mood.DONE: marks.done,
        Mood.SKIPPED: marks.skipped,
        Mood.WARNING: marks.warning,
        Mood.FAILED: marks.failed,
        Mood.UNDONE: marks.undone,
    }[mood]


def _spin(now: float, marks: Marks) -> str:
    return marks.spin[int(now * _SPINS) % len(marks.spin)]


def _cut(row: Text, width: int, marks: Marks) -> Text:
    """One line of the terminal, never two; where it has only ASCII marks, it gets only ASCII words."""
    if marks is ASCII and not row.plain.isascii():
        row = Text(row.plain.encode("ascii", "replace").decode())
    if cell_len(row.plain) > width:
        row.truncate(max(width - cell_len(marks.ellipsis), 0), overflow="crop")
        row.append(marks.ellipsis if width >= cell_len(marks.ellipsis) else "")
    return row
