"""Questions on a terminal, and where there is none."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TextIO

import pytest

from orchestrator.render.live import LiveScreen
from orchestrator.session.confirm import confirm


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, TextIO]]:
    """Our end of a terminal that is the program's stdin, and what the program writes to."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as reading, os.fdopen(os.dup(theirs), "w") as writing:
        monkeypatch.setattr(sys, "stdin", reading)
        yield ours, writing
    os.close(ours)


def read_until(ours: int, words: str) -> str:
    """What the program has written to the terminal."""
    shown = ""
    while words not in shown:
        shown += os.read(ours, 1 << 16).decode()
    return shown


@pytest.mark.parametrize(
    ("typed", "answer"), [("y", True), ("YES", True), ("n", False), ("", False), ("yup", False)]
)
def test_a_person_is_asked(terminal: tuple[int, TextIO], typed: str, answer: bool) -> None:
    ours, stream = terminal
    os.write(ours, f"{typed}\n".encode())
    assert confirm(False, "plain", lambda: nullcontext(stream))("demo is in use\nby \x1b[31mbob") is answer
    shown = read_until(ours, "Stop it? [y/N] ")
    assert "demo is in use" in shown
    assert "\x1b" not in shown


def test_a_live_screen_makes_room_and_comes_back(
    terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, stream = terminal
    os.write(ours, b"y\n")
    with LiveScreen(stream) as screen:
        assert confirm(False, "live", screen.paused)("demo is in use")
    opened, closed = "\x1b[?1049h", "\x1b[?1049l"
    shown = read_until(ours, "Stop it?")
    assert shown.index(opened) < shown.index(closed) < shown.index("Stop it?")
    assert opened in shown.partition("Stop it?")[2] or opened in read_until(ours, opened)


@pytest.mark.parametrize("yes", [True, False])
def test_without_a_terminal_the_answer_is_that_of_the_command_line(yes: bool) -> None:
    stream = io.StringIO()
    assert confirm(yes, "plain", lambda: nullcontext(stream))("?") is yes
    assert stream.getvalue() == ""


def test_a_program_is_not_asked(terminal: tuple[int, TextIO]) -> None:
    assert not confirm(False, "json", lambda: nullcontext(terminal[1]))("?")
