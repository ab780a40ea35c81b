"""Waiting: the one loop, the only importer of tenacity, the only place here that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from cluster.errors import CommandTimedOut, FleetError, HostError, TimedOut, Unreachable

T = TypeVar("T")


class Stalled(Generic[T]):
    """Counts the seconds since `mark` of what was seen last changed: a budget for no progress."""

    def __init__(self, patience: float, mark: Callable[[T], object]) -> None:
        self._patience = patience
        self._mark = mark
        self._last: object = None
        self._since = time.monotonic()

    def saw(self, seen: T) -> None:
        mark = self._mark(seen)
        if mark != self._last:
            self._last, self._since = mark, time.monotonic()

    def quiet(self) -> float:
        """Seconds in which nothing has moved."""
        return time.monotonic() - self._since

    def over(self) -> bool:
        return self.quiet() > self._patience


def again_and_again(look: Callable[[], T], interval: float) -> Iterator[T]:
    """What each look shows, with a pause of `interval` seconds between two."""
    while True:
        yield look()
        time.sleep(interval)


def _lost(error: BaseException) -> bool:
    """A connection that broke, or a host that does not answer in time, as one that loads a checkpoint may; or
    those of several hosts and nothing worse: the host may be back."""
    if isinstance(error, FleetError):
        return all(_lost(one) for one in error.errors)
    return isinstance(error, Unreachable | CommandTimedOut)


def _told(error: HostError | FleetError) -> str:
    """On one line: whoever watches a wait can do something about it."""
    if isinstance(error, FleetError):
        return "; ".join(f"{one}: {one.cause} ({one.cure})" if one.cause else str(one) for one in error.errors)
    cure = f" ({error.cure})" if error.cure else ""
    return f"{error}: {error.cause}{cure}" if error.cause else str(error)


@dataclass
class _Looks(Generic[T]):
    """`last` is in words what the last look has shown, or what kept it from that."""

    look: Callable[[], T]
    stalled: Stalled[T]
    last: str = ""

    def once(self) -> T:
        try:
            seen = self.look()
        except (HostError, FleetError) as error:
            self.last = _told(error)
            raise
        self.stalled.saw(seen)
        self.last = str(seen)
        return seen


def until(
    what: str,
    look: Callable[[], T],
    done: Callable[[T], bool],
    *,
    patience: float,
    notice: Callable[[float, str, float], None],
    mark: Callable[[T], object] = lambda seen: None,
    interval: float = 1.0,
) -> T:
    """Looks until `done`, and returns what was seen then.

    Only "not yet" and a host that is lost or does not answer in time are looked at again; every other error ends
    the wait at once. `patience` and `interval` are in seconds; as long as `mark` of what is seen changes, patience
    starts anew. `notice` hears, after each look, the seconds waited, the last that was seen, and the seconds in
    which nothing has moved. Raises `TimedOut` when patience ends.
    """
    import tenacity

    begun = time.monotonic()
    looks = _Looks(look, Stalled(patience, mark))
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_lost) | tenacity.retry_if_result(lambda seen: not done(seen)),
        stop=lambda state: looks.stalled.over(),
        wait=tenacity.wait_fixed(interval),
        before_sleep=lambda state: notice(time.monotonic() - begun, looks.last, looks.stalled.quiet()),
    )
    try:
        return retrying(looks.once)
    except tenacity.RetryError:
        raise TimedOut(what, time.monotonic() - begun, looks.last) from None
