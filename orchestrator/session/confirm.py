"""A question to the operator at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TextIO

from orchestrator.local.settings import Output
from orchestrator.render.text import clean, write

#: What frees the terminal for a question, and hands out its stream.
Paused = Callable[[], AbstractContextManager[TextIO]]


def confirm(yes: bool, output: Output, paused: Paused) -> Callable[[str], bool]:
    """Returns what asks a question: `--yes` has answered it, and without a terminal the answer is negative."""

    def given(question: str) -> bool:
        if yes:
            return True
        with paused() as stream:
            if output == "json" or not (sys.stdin.isatty() and stream.isatty()):
                return False
            lines = "\n".join(clean(line) for line in question.splitlines())
            write(stream, f"{lines}\nStop it? [y/N] ")
            return sys.stdin.readline().strip().lower() in ("y", "yes")

    return given
