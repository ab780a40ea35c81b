"""A program that must not outlive whoever asked for it."""

import os
import sys
import threading
from typing import Any, Callable


def end_with_the_operator(first: Callable[[], Any] = lambda: None) -> None:
    """Whoever asked is gone when stdin ends; `first` is done before we go as well."""
    threading.Thread(target=part, args=(first,), daemon=True).start()


def part(first: Callable[[], Any]) -> None:
    sys.stdin.buffer.read()
    first()
    os._exit(1)
