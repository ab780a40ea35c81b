"""Ctrl-C and SIGTERM: the first ends the run, which rolls back what it started; the second leaves at once.

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
from orchestrator.run.lost_signals import sent_again

#: Seconds in which a second signal is the echo of the first: `timeout`, `npm` and others send it to us and to
#: our process group.
_ECHO = 0.5


class Interrupted(ClusterError):
    """An operator ended the run."""

    kind: ClassVar[str] = "Interrupted"


class Interrupts:
    """While entered, raises KeyboardInterrupt in the main thread for a signal that is to be heard now."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._first: float | None = None
        self._defers = False
        self._pending = False
        self._before = ExitStack()
        self.leaving = False

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before.callback(signal.signal, number, before)
                signal.signal(number, self.arrived)
        self._before.enter_context(sent_again(self._forget))
        return self

    def __exit__(self, *_: object) -> None:
        self._before.close()

    def arrived(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """Handles a signal."""
        now = self._now()
        if self._first is None:
            self._first = now
            self._pending = self._defers
            if not self._defers:
                raise KeyboardInterrupt
        elif now - self._first >= _ECHO:
            self.leaving = True
            raise KeyboardInterrupt

    def _forget(self) -> None:
        """A signal that was not handled yet still counts; before a second one, the first was handled."""
        if not self.leaving:
            self._first = None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defers the first to the end of this block, not the second; an error in the block comes before it."""
        self._defers = True
        try:
            yield
        finally:
            self._defers = False
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    def ignore_first(self) -> None:
        """Takes only a second one from now on: the run is ending anyway."""
        self._defers = True

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Holds a run within a run: when that one fails, the first is still taken after it as before."""
        before = self._defers
        try:
            yield
        finally:
            self._defers = before
            if self._pending and not before:
                self._pending = False
                raise KeyboardInterrupt
