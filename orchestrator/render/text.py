"""Words that are safe and short enough for a terminal: what hosts said, durations, marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

#: Colours and titles that programs print go away whole (CSI, OSC, then any other escape sequence); control
#: characters that are left are shown as escapes, so that nothing a host says can act on the terminal.
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-~]"
)


#: Characters of what somebody said, on one line.
LONGEST = 400

#: Seconds: a million years.
_LONGEST_TIME = 3e13

#: Seconds after which it is worth a word that nothing moves.
_QUIET = 10.0


@dataclass(frozen=True)
class Marks:
    """The signs of one kind of terminal."""

    done: str
    failed: str
    running: str
    skipped: str
    warning: str
    unknown: str
    undone: str
    idle: str
    dot: str
    times: str
    ellipsis: str
    full: str
    rest: str
    spin: str


UNICODE = Marks("✓", "✗", "→", "–", "!", "?", "↶", "○", "·", "×", "…", "━", "─", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
ASCII = Marks("+", "x", ">", "-", "!", "?", "<", "o", "|", "x", "..", "#", "-", "|/-\\")


def marks_for(stream: TextIO) -> Marks:
    """The signs that `stream` can show."""
    try:
        "".join(vars(UNICODE).values()).encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def write(stream: TextIO, text: str) -> None:
    """Writes text that may be lost: a closed terminal must not end the work that it shows."""
    with suppress(OSError, ValueError):
        write_whole(stream, text)


def write_whole(stream: TextIO, text: str) -> None:
    """Writes in one piece (threads do not mix their lines); what the stream cannot encode becomes `?`. Raises
    OSError, or ValueError for a stream that is closed."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def clean(text: str) -> str:
    """`text` as one line, safe to show."""
    return " ".join(lines_of(text))


def short(text: str) -> str:
    """`text` as one line, safe to show, and short enough to read."""
    line = clean(text[: 8 * LONGEST])
    return line if len(line) <= LONGEST else line[:LONGEST].rstrip() + " .."


def one_line(text: str) -> str:
    """A single line as it stands, with nothing that a terminal would obey."""
    return _harmless(_last_state(_SEQUENCES.sub("", text)))


def lines_of(text: str) -> list[str]:
    """The non-empty lines of a text, with nothing that a terminal would obey."""
    shown = (_harmless(_last_state(line)) for line in _SEQUENCES.sub("", text).split("\n"))
    return [line for line in shown if line.strip()]


def _last_state(line: str) -> str:
    """A progress bar overwrites its line: only what was left standing counts."""
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")


def _harmless(line: str) -> str:
    line = line.expandtabs(4)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return line.rstrip()


def standstill(quiet: float, patience: float | None) -> str:
    """In words, once it is worth one that nothing moves; `patience` None: the wait has an end of its own."""
    if patience is None or quiet < _QUIET:
        return ""
    return f"no progress for {duration(quiet)}, gives up at {duration(patience)}"


def duration(seconds: float) -> str:
    """1.2 s, 42 s, 5 min 12 s, 1 h 03 min, 2 d 4 h; what no clock counts is "without limit"."""
    if not -_LONGEST_TIME < seconds < _LONGEST_TIME:
        return "without limit"
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def clock(seconds: float) -> str:
    """0:42, 12:05, 1:02:03."""
    whole = max(int(seconds), 0)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def quantity(done: float, total: float, unit: str) -> str:
    """45 %, 12 of 16 GPUs, 381.2 of 790.0 GiB."""
    if unit == "%":
        return f"{100 * done / total if total else 0:.0f} %"
    if done == int(done) and total == int(total):
        return f"{done:.0f} of {total:.0f} {unit}"
    return f"{done:.1f} of {total:.1f} {unit}"


def count(number: int, noun: str, many: str = "") -> str:
    """1 host, 2 hosts."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


Block = tuple[str, Sequence[str]]


def fold(blocks: Iterable[Block]) -> list[Block]:
    """Blocks of hosts that say the same become one, headed by all their names, in order of the first.

    "The same" looks past a host's own name: where that alone differs, the folded block says HOST.
    """
    groups: dict[tuple[str, ...], list[Block]] = {}
    for host, body in blocks:
        groups.setdefault(tuple(_nameless(line, host) for line in body), []).append((host, body))
    return [_merged(common, members) for common, members in groups.items()]


def _merged(common: tuple[str, ...], members: list[Block]) -> Block:
    first = members[0][1]
    same = all(body == first for _, body in members)
    return ", ".join(dict.fromkeys(host for host, _ in members)), first if same else common


def _nameless(line: str, host: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "HOST", line) if host else line
