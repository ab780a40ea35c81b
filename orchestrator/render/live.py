"""The live screen: the terminal is ours while it is open, and as it was before when it closes."""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, suppress
from threading import Lock
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.events import Event, HostSaid, Sink
from orchestrator.render.paint import paint, summary
from orchestrator.render.screen import State, reduce
from orchestrator.render.text import clean, marks_for, write

_FRAMES_PER_SECOND = 4
#: Lines kept of what was written to stderr by others.
_STRAY = 200
#: Show the cursor, leave the alternate screen: harmless where that is so already.
_RESTORE = "\x1b[?25h\x1b[?1049l"


class LiveScreen:
    """A sink, and a context in which the terminal behind `stream` is ours.

    It paints on the alternate screen: a resize reflows nothing there, and each frame overwrites the last one
    in place, so nothing flickers. The phases with their times stay in the terminal when it closes.
    """

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._marks = marks_for(stream)
        self._lock = Lock()
        self._state = State(began=now())
        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._live = self._screen()
        self._stray = _Stray(self)
        self._open = ExitStack()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._state = reduce(self._state, event, self._now())

    def __enter__(self) -> Self:
        self._open.enter_context(redirect_stderr(self._stray))
        self._open.callback(self._leave)
        try:
            self._live.start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """What was on the screen and must not be lost is printed where it stays."""
        self._open.close()
        with suppress(OSError):
            self._console.print(summary(self._state, self._now(), self._console.width, self._marks))
        write(self._stream, self._stray.kept())

    def _leave(self) -> None:
        """A terminal that has gone away is no failure; a second Ctrl-C in here still restores it."""
        try:
            with suppress(OSError):
                self._live.stop()
        except BaseException:
            self._live.stop()
            write(self._stream, _RESTORE)
            raise

    def _screen(self) -> Live:
        return Live(
            console=self._console,
            screen=True,
            refresh_per_second=_FRAMES_PER_SECOND,
            get_renderable=self._frame,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _frame(self) -> Text:
        size = self._console.size
        return paint(self._state, self._now(), size.width, size.height, self._marks)


class _Stray(io.TextIOBase):
    """What a library or a warning writes to stderr would be painted over: it is shown as lines, and kept."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._begun = ""
        self._lines: deque[str] = deque(maxlen=_STRAY)

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, whole):
            self._lines.append(clean(line))
            self._sink(HostSaid("", line))
        return len(text)

    def kept(self) -> str:
        lines = [*self._lines, clean(self._begun)]
        return "".join(f"{line}\n" for line in lines if line)


def fits(stream: TextIO, term: str) -> bool:
    """Whether a live screen can be shown there: a terminal that can move its cursor (`term` is `$TERM`)."""
    return stream.isatty() and term not in ("", "dumb", "unknown")
