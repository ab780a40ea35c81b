"""The exit of a program that must not outlive its operator's session."""

import os
import sys
import threading
from typing import Any, Callable


def end_with_the_operator(first: Callable[[], Any] = lambda: None) -> None:
    """Exits when stdin ends, because the session has ended; calls `first` before."""
    threading.Thread(target=part, args=(first,), daemon=True).start()


def part(first: Callable[[], Any]) -> None:
    sys.stdin.buffer.read()
    first()
    os._exit(1)
