"""Sends a signal again that arrived while an object was finalized: its exception reaches no caller."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds: by then the finalizer has ended.
_SOON = 0.05


@contextmanager
def sent_again(lost: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Calls `lost` for each such signal before it comes again."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            before(unraisable)
            return
        lost()
        threading.Timer(_SOON, os.kill, (os.getpid(), signal.SIGINT)).start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
