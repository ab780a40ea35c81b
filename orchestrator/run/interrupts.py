"""Ctrl-C and SIGTERM: the first ends the run, which takes back what it started; the second leaves at once.

SIGHUP is left alone: a lost terminal ends the program, and with it the watching, not what runs on the hosts.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import ClassVar, Self

from cluster.errors import ClusterError

#: Seconds in which a second signal is the echo of the first: `timeout`, `npm` and others send it to us and to
#: our process group.
_ECHO = 0.5


class Interrupted(ClusterError):
    """A person wanted it to end."""

    kind: ClassVar[str] = "Interrupted"


class Interrupts:
    """While entered, raises KeyboardInterrupt in the main thread for a signal that is to be heard now."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._first: float | None = None
        self._deaf = False
        self._unheard = False
        self._before = ExitStack()
        self.leaving = False

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before.callback(signal.signal, number, before)
                signal.signal(number, self.arrived)
        return self

    def __exit__(self, *_: object) -> None:
        self._before.close()

    def arrived(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """What a signal does."""
        now = self._now()
        if self._first is None:
            self._first = now
            self._unheard = self._deaf
            if not self._deaf:
                raise KeyboardInterrupt
        elif now - self._first >= _ECHO:
            self.leaving = True
            raise KeyboardInterrupt

    @contextmanager
    def later(self) -> Iterator[None]:
        """The first is heard at the end of this, the second at once; an error in here comes before it."""
        self._deaf = True
        try:
            yield
        finally:
            self._deaf = False
        if self._unheard:
            self._unheard = False
            raise KeyboardInterrupt

    def no_more(self) -> None:
        """The run is ending anyway: only a second one is heard from now on."""
        self._deaf = True

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around a run within a run: that one may end badly, and the first is heard after it as before."""
        before = self._deaf
        try:
            yield
        finally:
            self._deaf = before
            if self._unheard and not before:
                self._unheard = False
                raise KeyboardInterrupt
