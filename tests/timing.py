"""Waiting and measuring that hold on busy cores as well: the one place where tests know of speed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: Seconds after which what has not happened never will, on however busy a machine.
LIMIT = 120.0

_CORES = os.cpu_count() or 1


def eventually(look: Callable[[], T], what: str = "", pause: float = 0.01) -> T:
    """What `look` sees once it is true."""
    end = time.monotonic() + LIMIT
    while not (seen := look()):
        assert time.monotonic() < end, f"{what or 'what was waited for'}: not within {LIMIT:g} s"
        time.sleep(pause)
    return seen


class Stopwatch:
    """Measures what it is around. `seconds` are those that it would take on a machine with nothing else to do.

    While more programs want to run than there are cores, each gets its share, so time counts for that share alone.
    The promise of a product is then the same on idle and on busy cores.
    """

    def __init__(self) -> None:
        self._begun = self._ended = 0.0
        self._shares: list[float] = []
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Stopwatch:
        self._begun = time.monotonic()
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = time.monotonic()
        self._over.set()
        self._sampler.join()

    @property
    def share(self) -> float:
        """Of a core, that a program which wanted to run got on average."""
        return len(self._shares) / sum(1 / share for share in self._shares)

    @property
    def seconds(self) -> float:
        return (self._ended - self._begun) * self.share

    def _sample(self) -> None:
        while True:
            self._shares.append(min(1.0, _CORES / max(1, _running() - 1)))
            if self._over.wait(0.05):
                return


def _running() -> int:
    """Programs that run or want to, this one among them."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
