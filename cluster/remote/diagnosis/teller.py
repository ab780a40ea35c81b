"""Prints collected texts piece by piece, packed and without secrets."""

import base64
import json
import signal
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.redact import redact


#: Seconds.
SHORTEST_SLICE = 0.2


@contextmanager
def at_most(seconds: float) -> "Iterator[None]":
    """Raises TimeoutError in code that takes longer, also in a search by a regular expression."""

    def late(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Teller:
    """Prints texts until time or space has run out, and records the texts that did not fit."""

    def __init__(self, data: "dict[str, Any]", values: "list[str]") -> None:
        self.names = data["secret_names"]
        self.values = values
        self.room = data["most"]
        self.end: float = time.monotonic() + data["seconds"]
        self.left_out: list[str] = []

    def late(self) -> bool:
        return bool(time.monotonic() > self.end)

    def slice(self) -> float:
        """Returns the seconds for one text of many: later texts share the rest."""
        return max(SHORTEST_SLICE, (self.end - time.monotonic()) / 4)

    def say(self, name: str, text: str) -> None:
        self.tell(name, text, self.shown(text))

    def shown(self, text: str) -> bytes:
        """Returns the text without secrets; empty where there is no space for it."""
        fits = len(text) <= self.room
        return redact(text, self.values, self.names).encode(errors="replace") if fits else b""

    def tell(self, name: str, text: str, shown: bytes) -> None:
        """Prints a text; `shown` is the part of `text` that may be seen."""
        if len(text) > self.room or len(shown) > self.room:
            self.left_out.append(name)
            return
        self.room -= len(shown)
        packed = zlib.compress(shown, 6)
        print(json.dumps({"name": name, "packed": base64.b64encode(packed).decode()}), flush=True)

    def say_json(self, name: str, document: Any) -> None:
        self.say(name, json.dumps(document, indent=1))
