"""Words for a terminal: nothing a host says may act on it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render.text import (
    ASCII,
    UNICODE,
    clean,
    clock,
    count,
    duration,
    fold,
    lines_of,
    marks_for,
    one_line,
    quantity,
    write,
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[1;36m(EngineCore pid=5120)\x1b[0;0m INFO", "(EngineCore pid=5120) INFO"),
        ("\x1b]0;owned\x07hello", "hello"),
        ("\x1b]52;c;cm0gLXJm\x1b\\hello", "hello"),
        ("a\x1bcb", "ab"),
        ("\x9b2Jbell\x07", "\\x9b2Jbell\\x07"),
        ("shards:  1%\rshards: 50%\rshards: 99%\r", "shards: 99%"),
        ("dos line\r\n", "dos line"),
        ("pay\u202eload", "pay\\u202eload"),
        ("two\n\n  lines\n", "two   lines"),
        ("größe 8 × H100", "größe 8 × H100"),
    ],
)
def test_what_a_host_says_is_made_harmless(said: str, shown: str) -> None:
    assert clean(said) == shown


@given(st.text())
def test_no_control_character_is_left(said: str) -> None:
    assert all(line.isprintable() for line in lines_of(said))


@pytest.mark.parametrize(
    ("said", "shown"),
    [("", ""), ("  a\tb", "  a b"), ("10%\r20%\r", "20%"), ("\x1b[31mred\x07\r", "red\\x07"), ("\n", "")],
)
def test_a_line_stays_a_line(said: str, shown: str) -> None:
    assert one_line(said) == shown


def test_indentation_of_a_traceback_stays() -> None:
    assert lines_of("Traceback:\n  File x\n\tTab\n") == ["Traceback:", "  File x", "    Tab"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-0.1, "0.0 s"),
        (1.21, "1.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (312, "5 min 12 s"),
        (3599.7, "1 h 00 min"),
        (7400, "2 h 03 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.9, "0:00"), (725, "12:05"), (3723, "1:02:03")])
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("done", "total", "unit", "shown"),
    [
        (45, 100, "%", "45 %"),
        (12, 16, "GPUs", "12 of 16 GPUs"),
        (381.25, 790.3, "GiB", "381.2 of 790.3 GiB"),
        (0, 0, "%", "0 %"),
    ],
)
def test_quantity(done: float, total: float, unit: str, shown: str) -> None:
    assert quantity(done, total, unit) == shown


def test_count() -> None:
    assert (count(1, "host"), count(2, "host"), count(1_203_456, "token")) == (
        "1 host",
        "2 hosts",
        "1,203,456 tokens",
    )


@pytest.mark.parametrize(("encoding", "marks"), [("utf-8", UNICODE), ("ascii", ASCII), ("latin-1", ASCII)])
def test_marks_fit_the_terminal(encoding: str, marks: object) -> None:
    assert marks_for(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is marks


def test_ascii_marks_are_ascii() -> None:
    assert "".join(vars(ASCII).values()).isascii()


def test_write_replaces_what_the_stream_cannot_encode() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write(stream, "8 × H100\n")
    assert raw.getvalue() == b"8 ? H100\n"
    stream.close()


def test_a_terminal_that_went_away_is_no_failure() -> None:
    class Gone(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError

    write(Gone(), "✓ ready\n")


def test_fold_joins_hosts_that_say_the_same_but_for_their_name() -> None:
    blocks = [("gpu-a", ["log in to gpu-a"]), ("gpu-ab", ["lost"]), ("gpu-b", ["log in to gpu-b"])]
    assert fold(blocks) == [("gpu-a, gpu-b", ("log in to HOST",)), ("gpu-ab", ["lost"])]


def test_fold_keeps_words_that_are_the_same() -> None:
    assert fold([("gpu-b", ["no head"]), ("gpu-c", ["no head"])]) == [("gpu-b, gpu-c", ["no head"])]
