"""The three streams of the program. An operator or a script may close any of them; the work continues."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


def open_all() -> None:
    """What was closed before we began (`2>&-`) leads nowhere, and not into a connection that took its number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115


def settle_all() -> None:
    """Without it, the interpreter complains at its end about output that no process reads."""
    for stream in (sys.stdout, sys.stderr):
        _settle(stream)


def _settle(stream: TextIO) -> None:
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
