"""A host that says what it likes: the answers of its programs, changed in one of many ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from cluster.command import Command, Result
from cluster.errors import TooMuchOutput
from cluster.transport.conversation import Channel
from cluster.transport.host import Transport
from tests.doubles import ScriptedChannel

ESCAPES = "\x1b]0;pwned\x07\x1b[2J\x1b[31mEVIL\x1b]52;c;cm0gLXJmIH4=\x07\r\u202e\u200b\ud800\x9b2J"
#: Words that the programs tell apart.
_PLAIN = ("alive", "absent", "dead")

Change = Callable[[Any], Any]


def _texts(change: Change) -> Change:
    return lambda value: change(value) if isinstance(value, str) and value not in _PLAIN else value


def _integers(number: int) -> Change:
    return lambda value: number if isinstance(value, int) and not isinstance(value, bool) else value


def _floats(number: float) -> Change:
    return lambda value: number if isinstance(value, float) else value


def _lists(change: Callable[[list[Any]], list[Any]]) -> Change:
    return lambda value: change(value) if isinstance(value, list) else value


#: What becomes of each value of an answer, from the innermost out.
VALUES: dict[str, Change] = {
    "escape": _texts(lambda text: text + ESCAPES),
    "surrogate": _texts(lambda text: "\ud800" + text),
    "long": _texts(lambda text: text + "x" * 100_000),
    "paths": _texts(lambda text: "../" * 9 + text),
    "blank": _texts(lambda text: ""),
    "token": _texts(lambda text: text + "token" * 20_000),
    "inf": _floats(float("inf")),
    "nan": _floats(float("nan")),
    "huge": _floats(1e308),
    "bigint": _integers(10**30),
    "negative": _integers(-(10**12)),
    "empty": _lists(lambda values: []),
    "many": _lists(lambda values: values * 2000),
}
#: What becomes of each whole line.
LINES: dict[str, Callable[[dict[str, Any]], str]] = {
    "types": lambda message: json.dumps(dict.fromkeys(message, 5)),
    "lists": lambda message: json.dumps({key: [] for key in message}),
    "nulls": lambda message: json.dumps(dict.fromkeys(message)),
    "texts": lambda message: json.dumps(dict.fromkeys(message, "x")),
    "nested": lambda message: json.dumps({key: {"a": [{"b": None}]} for key in message}),
    "deep": lambda message: '{"a":' * 100_000,
    "cut": lambda message: json.dumps(message)[:-3],
    "twice": lambda message: f"{json.dumps(message)}\n{json.dumps(dict.fromkeys(message))}",
    "more": lambda message: json.dumps({**message, "more": 1}),
    "fewer": lambda message: json.dumps(dict(list(message.items())[1:])),
    "silent": lambda message: "",
    "noise": lambda message: "\0\x1b[2J" * 1000,
}
MODES = (*VALUES, *LINES)


def changed(mode: str, output: str) -> str:
    """Returns the output of a program as such a host says it."""
    return "\n".join(_lines(mode, output)) + "\n"


def _lines(mode: str, output: str) -> Iterator[str]:
    for line in output.splitlines():
        message = json.loads(line) if line.startswith("{") else {"text": line}
        yield LINES[mode](message) if mode in LINES else json.dumps(_walked(message, VALUES[mode]))


def _walked(value: Any, change: Change) -> Any:
    if isinstance(value, dict):
        return {key: _walked(each, change) for key, each in value.items()}
    if isinstance(value, list):
        value = [_walked(each, change) for each in value]
    return change(value)


class HostileTransport:
    """The transport to a host, and what it makes of its answers; no more than the budget of each, as over SSH."""

    def __init__(self, inner: Transport, mode: str, answers: dict[str, str]) -> None:
        self._inner = inner
        self._mode = mode
        self._answers = answers

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        result = self._inner.execute(command)
        output = changed(self._mode, result.stdout or self._answers.get(command.kind, ""))
        # A lone half of a character never comes over the wire.
        output = output.encode(errors="replace").decode()
        if len(output) > command.most:
            raise TooMuchOutput("gpu-b", command)
        if on_text:
            on_text(output)
        return Result(result.status, output, output[:1000] if self._mode == "noise" else "")

    def open(self, command: Command) -> Channel:
        channel = self._inner.open(command)
        assert isinstance(channel, ScriptedChannel)
        lines = [line if line is None else changed(self._mode, line) for line in channel._lines]
        return ScriptedChannel([part for line in lines for part in (line or "").splitlines()])

    def close(self) -> None:
        self._inner.close()
