"""The terminal is given back, whatever happens; and only the live screen pays for rich."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest
from rich.live import Live

from orchestrator.events import PhaseStarted, RunStarted
from orchestrator.render.live import LiveScreen, LiveText, fits
from tests.timing import eventually

OPENED, CLOSED = "\x1b[?1049h", "\x1b[?1049l"
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "12")


def restored(said: str) -> bool:
    """Alternate screen and hidden cursor were taken, and given back after that."""
    pairs = ((OPENED, CLOSED), (HIDDEN, SHOWN))
    return all(-1 < said.rfind(taken) < said.rfind(given) for taken, given in pairs)


def test_the_screen_closes_and_the_phases_stay() -> None:
    stream = io.StringIO()
    with LiveScreen(stream) as screen:
        screen(RunStarted("up", "ernie", ("gpu-a", "gpu-b")))
        screen(PhaseStarted("Observe hosts"))
    assert restored(stream.getvalue())
    assert "Observe hosts" in stream.getvalue().rpartition(CLOSED)[2]


def test_frames_overwrite_each_other_and_erase_nothing() -> None:
    stream = io.StringIO()
    with LiveScreen(stream) as screen:
        screen(RunStarted("up", "ernie", ("gpu-a", "gpu-b")))
        eventually(lambda: stream.getvalue().count("up ernie") >= 2)
    painted = stream.getvalue().partition(OPENED)[2].partition(CLOSED)[0]
    assert painted.count("up ernie") >= 2
    assert not re.search(r"\x1b\[[0-9]*[JK]", painted)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
def test_whatever_happens_the_terminal_is_given_back(error: BaseException) -> None:
    stream = io.StringIO()
    with pytest.raises(type(error)), LiveScreen(stream):
        raise error
    assert restored(stream.getvalue())


def test_a_second_interrupt_while_closing_restores_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, stops, stop = io.StringIO(), iter([True]), Live.stop

    def interrupted(live: Live) -> None:
        if next(stops, False):
            raise KeyboardInterrupt
        stop(live)

    monkeypatch.setattr(Live, "stop", interrupted)
    with pytest.raises(KeyboardInterrupt), LiveScreen(stream):
        pass
    assert restored(stream.getvalue())


def test_an_interrupt_while_opening_restores_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, start = io.StringIO(), Live.start

    def interrupted(live: Live, refresh: bool = False) -> None:
        start(live, refresh)
        raise KeyboardInterrupt

    monkeypatch.setattr(Live, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), LiveScreen(stream):
        raise AssertionError("never opened")
    assert restored(stream.getvalue())


def test_what_others_write_to_stderr_is_shown_and_kept() -> None:
    stream, before = io.StringIO(), sys.stderr
    with LiveScreen(stream):
        print("Exception (client):", "Error reading SSH protocol banner\x1b[2J", file=sys.stderr)
        sys.stderr.write("no newline")
    assert sys.stderr is before
    kept = stream.getvalue().rpartition(CLOSED)[2]
    assert "Exception (client): Error reading SSH protocol banner\nno newline\n" in kept


def test_a_terminal_that_goes_away_is_no_failure() -> None:
    class Gone(io.StringIO):
        lost = False

        def write(self, text: str, /) -> int:
            if self.lost:
                raise OSError(5, "Input/output error")
            return super().write(text)

    stream = Gone()
    with LiveScreen(stream) as screen:
        screen(PhaseStarted("Observe hosts"))
        stream.lost = True


@pytest.mark.parametrize(
    ("terminal", "term", "shown"),
    [(True, "xterm", True), (True, "dumb", False), (True, "", False), (False, "xterm", False)],
)
def test_where_a_live_screen_can_be_shown(terminal: bool, term: str, shown: bool) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    assert fits(stream, term) is shown


def test_nothing_else_imports_rich() -> None:
    others = "plain, jsonl, failure, announce, status, findings"
    imports = f"from orchestrator.render import {others}; import orchestrator.session.journal"
    code = f"import sys; {imports}; print('rich' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_a_text_is_replaced_in_place_and_its_last_state_stays() -> None:
    stream = io.StringIO()
    with LiveText(stream) as screen:
        for text in ("first", "second"):
            screen.text = text
            eventually(lambda text=text: text in stream.getvalue())  # type: ignore[misc]
    painted, _, kept = stream.getvalue().partition(OPENED)[2].rpartition(CLOSED)
    assert "first" in painted
    assert "second" in painted
    assert ("first" in kept, "second" in kept) == (False, True)


def test_a_text_that_is_too_long_and_too_wide_keeps_its_ends() -> None:
    screen = LiveText(io.StringIO())
    screen.text = "\n".join(f"{number} {'x' * 40}" for number in range(20))
    assert screen.frame(10, 5).plain.split("\n") == ["0 xxxxxxx…", "1 xxxxxxx…", "2 xxxxxxx…", "…", "19 xxxxxx…"]
