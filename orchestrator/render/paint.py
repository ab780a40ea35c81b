"""The live screen as styled lines: a pure function of the state, the time and the size of the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from textwrap import wrap

from rich.cells import cell_len
from rich.text import Text

from orchestrator.render.progress_bar import under_way
from orchestrator.render.screen import Mood, Row, State
from orchestrator.render.text import ASCII, UNICODE, Marks, clean, clock, count, duration

_STYLES = {
    Mood.IDLE: "dim",
    Mood.RUNNING: "cyan",
    Mood.DONE: "green",
    Mood.SKIPPED: "dim",
    Mood.WARNING: "yellow",
    Mood.FAILED: "bold red",
    Mood.UNDONE: "yellow",
}
_SPINS = 4
#: Room for titles on a wide screen, so that the times do not jump when a longer one comes.
_TITLES, _WIDE = 30, 80


def paint(state: State, now: float, width: int, height: int, marks: Marks = UNICODE) -> Text:
    """A screen of at most `height` lines of at most `width` cells; the most important come first to stay."""
    sections = {
        "header": [_header(state, now, width)],
        "phases": _phases(state, now, width, marks),
        "hosts": _hosts(state, height, marks),
        # The phase that it belongs to stays above it.
        "doing": under_way(state, now, width, marks)[: max(height - 2, 1)],
        "why": _why(state, width)[: max(height // 2, 1)],
        "messages": _messages(state),
    }
    return _joined(chain.from_iterable(_spaced(_fitted(sections, height), height)), width, marks)


def summary(state: State, now: float, width: int, marks: Marks = UNICODE) -> Text:
    """The lines that stay in the terminal after the screen ends: the phases with their times. The reason of a
    failure follows in full."""
    rows = tuple(_left(row, now) for row in state.rows)
    remaining = replace(state, rows=rows)
    return _joined([_header(remaining, now, width), *_phases(remaining, now, width, marks)], width, marks)


def _left(row: Row, now: float) -> Row:
    if row.mood is Mood.RUNNING:
        return replace(row, mood=Mood.WARNING, seconds=now - row.began, note="interrupted")
    return replace(row, note="") if row.mood is Mood.FAILED else row


def _joined(rows: Iterable[Text], width: int, marks: Marks) -> Text:
    return Text("\n", no_wrap=True, overflow="crop").join(cut(row, width, marks) for row in rows)


def _fitted(sections: dict[str, list[Text]], height: int) -> list[list[Text]]:
    """Cuts the screen to its height. The header and current work stay, then the latest phases, hosts, and log
    lines."""
    room = max(height, 1)
    kept = {name: list[Text]() for name in sections}
    for name in ("header", "doing", "why", "phases", "hosts", "messages"):
        rows = sections[name]
        latest = name in ("phases", "messages")
        kept[name] = rows[max(len(rows) - room, 0) :] if latest else rows[:room]
        room -= len(kept[name])
        if room <= 0:
            break
    return list(kept.values())


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
    longest = max((cell_len(row.title) for row in state.rows), default=0)
    titles = min(max(longest, _TITLES if width >= _WIDE else 0), max(width - 18, 8))
    return [_phase(row, now, titles, marks) for row in state.rows]


def _phase(row: Row, now: float, titles: int, marks: Marks) -> Text:
    style = _STYLES[row.mood]
    spin = marks.spin[int(now * _SPINS) % len(marks.spin)]
    mark, took = (spin, now - row.began) if row.mood is Mood.RUNNING else (_mark(row.mood, marks), row.seconds)
    title = cut(Text(row.title), titles, marks).plain
    title += " " * (titles - cell_len(title))
    line = Text(" ").append(mark, style).append(f" {title}", "bold" if row.mood is Mood.RUNNING else style)
    line.append(f" {duration(took) if took is not None else '':>12}", "dim")
    return line.append(f"  {row.note}", style) if row.note else line


def _hosts(state: State, height: int, marks: Marks) -> list[Text]:
    """A line each while they are at something, where there is room for so many. Otherwise all on one line: it is
    those in trouble that matter, so they come first."""
    worst = sorted(state.hosts, key=lambda host: (host[1] is not Mood.FAILED, host[1] is not Mood.WARNING))
    doing = dict(state.doing)
    if doing and worst and len(worst) <= max(height // 3, 1):
        names = max(cell_len(clean(name)) for name, _ in worst)
        return [_host(name, mood, doing.get(name, ""), names, marks) for name, mood in state.hosts]
    chips = [Text(f"{_mark(mood, marks)} {clean(name)}", _STYLES[mood]) for name, mood in worst]
    return [Text(" ").append_text(Text("  ").join(chips))] if chips else []


def _host(name: str, mood: Mood, doing: str, names: int, marks: Marks) -> Text:
    shown = clean(name)
    row = Text(" ").append(f"{_mark(mood, marks)} {shown}", _STYLES[mood])
    return row.append(" " * (names - cell_len(shown) + 2)).append(doing, "dim")


def _why(state: State, width: int) -> list[Text]:
    """What the operator must read is folded, not cut."""
    folded = (wrap(line, max(width, 20), subsequent_indent=" " * 9) for line in state.why)
    return [Text(line) for line in chain.from_iterable(folded)]


def _messages(state: State) -> list[Text]:
    log_line = [Text(f" {state.log_line}", "italic dim")] if state.log_line else []
    return [Text(f" {message}", "dim") for message in state.messages] + log_line


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


def cut(row: Text, width: int, marks: Marks) -> Text:
    """One line of the terminal, never two; where it has only ASCII marks, it gets only ASCII words."""
    if marks is ASCII and not row.plain.isascii():
        row = Text(row.plain.encode("ascii", "replace").decode())
    if cell_len(row.plain) > width:
        row.truncate(max(width - cell_len(marks.ellipsis), 0), overflow="crop")
        row.append(marks.ellipsis if width >= cell_len(marks.ellipsis) else "")
    return row
