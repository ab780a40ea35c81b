"""The live screen: the terminal is ours while it is open, and as it was before when it closes."""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from threading import Lock
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.events import Event, HostMessage
from orchestrator.render.paint import cut, paint, summary
from orchestrator.render.screen import State, reduce
from orchestrator.render.text import clean, marks_for, write

_FRAMES_PER_SECOND = 4
#: Lines kept of what was written to stderr by others.
_STRAY = 200
#: Show the cursor, leave the alternate screen: harmless where that is so already.
_RESTORE = "\x1b[?25h\x1b[?1049l"


class Canvas(ABC):
    """A context in which the terminal behind `stream` is ours, and shows `frame` several times a second.

    It paints on the alternate screen: a resize reflows nothing there, and each frame overwrites the last one
    in place, so nothing flickers. What `rest` says stays in the terminal when it closes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._marks = marks_for(stream)
        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._live = self._screen()
        self._stray = _Stray(self.stray)
        self._open = ExitStack()

    @abstractmethod
    def frame(self, width: int, height: int) -> Text:
        """All that is on the screen now."""

    @abstractmethod
    def rest(self, width: int) -> Text:
        """What must not be lost of it."""

    def stray(self, line: str) -> None:  # noqa: B027  (a table has no place for it)
        """Hears what others write to stderr meanwhile; it is printed in the end as well."""

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
        self._open.close()
        with suppress(OSError):
            self._console.print(self.rest(self._console.width))
        write(self._stream, self._stray.kept())

    @contextmanager
    def paused(self) -> Iterator[TextIO]:
        """The terminal as it was before, for a question."""
        self._live.stop()
        try:
            yield self._stream
        finally:
            self._live.start()

    def _leave(self) -> None:
        """Ignores a terminal that was closed; a second Ctrl-C in here still restores it."""
        try:
            with suppress(OSError):
                self._live.stop()
        except BaseException:
            self._live.stop()
            write(self._stream, _RESTORE)
            raise

    def _screen(self) -> Live:
        def frame() -> Text:
            return self.frame(self._console.size.width, self._console.size.height)

        return Live(
            console=self._console,
            screen=True,
            refresh_per_second=_FRAMES_PER_SECOND,
            get_renderable=frame,
            redirect_stdout=False,
            redirect_stderr=False,
        )


class LiveScreen(Canvas):
    """A sink: a run as it goes. The phases with their times are what stays of it."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = Lock()
        self._state = State(began=now())
        super().__init__(stream)  # which paints a first frame

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._state = reduce(self._state, event, self._now())

    def frame(self, width: int, height: int) -> Text:
        return paint(self._state, self._now(), width, height, self._marks)

    def rest(self, width: int) -> Text:
        return summary(self._state, self._now(), width, self._marks)

    def stray(self, line: str) -> None:
        self(HostMessage("", line))


class LiveText(Canvas):
    """Text that is replaced as a whole, such as a table; its first and last lines stay where there is no room."""

    def __init__(self, stream: TextIO) -> None:
        self.text = ""
        super().__init__(stream)

    def frame(self, width: int, height: int) -> Text:
        lines = self.text.splitlines()
        if len(lines) > height > 1:
            lines = [*lines[: height - 2], self._marks.ellipsis, lines[-1]]
        return Text("\n", no_wrap=True, overflow="crop").join(
            cut(Text(line), width, self._marks) for line in lines
        )

    def rest(self, width: int) -> Text:
        return Text(self.text)


class _Stray(io.TextIOBase):
    """What a library or a warning writes to stderr would be painted over: it is shown as lines, and kept."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._begun = ""
        self._lines: deque[str] = deque(maxlen=_STRAY)

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, whole):
            self._lines.append(clean(line))
            self._heard(line)
        return len(text)

    def kept(self) -> str:
        lines = [*self._lines, clean(self._begun)]
        return "".join(f"{line}\n" for line in lines if line)


def fits(stream: TextIO, term: str) -> bool:
    """Whether a live screen can be shown there: a terminal that can move its cursor (`term` is `$TERM`)."""
    return stream.isatty() and term not in ("", "dumb", "unknown")
