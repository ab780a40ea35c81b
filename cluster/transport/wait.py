"""Waits until a condition holds: the one loop, the only importer of tenacity, the only place that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from cluster.errors import CommandTimedOut, FleetError, HostError, TimedOut, Unreachable

T = TypeVar("T")


class Stalled(Generic[T]):
    """Counts the seconds since `mark` of the observed value last changed. The limit is for time without
    progress."""

    def __init__(self, patience: float, mark: Callable[[T], object]) -> None:
        self._patience = patience
        self._mark = mark
        self._last: object = None
        self._since = time.monotonic()

    def saw(self, value: T) -> None:
        mark = self._mark(value)
        if mark != self._last:
            self._last, self._since = mark, time.monotonic()

    def quiet(self) -> float:
        """Returns the seconds without a change."""
        return time.monotonic() - self._since

    def over(self) -> bool:
        return self.quiet() > self._patience


def repeatedly(observe: Callable[[], T], interval: float) -> Iterator[T]:
    """Yields the observed values for ever, with a pause of `interval` seconds in between."""
    while True:
        yield observe()
        time.sleep(interval)


def _may_pass(error: BaseException) -> bool:
    """Returns whether the error may pass: all hosts in it are unreachable, or slow, like a host that loads a
    checkpoint."""
    if isinstance(error, FleetError):
        return all(map(_may_pass, error.errors))
    return isinstance(error, Unreachable | CommandTimedOut)


def _one_line(error: HostError | FleetError) -> str:
    """Returns the error with its fix: an operator who watches a wait can act on it."""
    if isinstance(error, FleetError):
        return "; ".join(map(_one_line, error.errors))
    cure = f" ({error.cure})" if error.cure else ""
    return f"{error}: {error.cause}{cure}" if error.cause else str(error)


@dataclass
class _Observer(Generic[T]):
    """Observes repeatedly; `last` describes the last value, or the error that came instead."""

    observe: Callable[[], T]
    stalled: Stalled[T]
    last: str = ""

    def once(self) -> T:
        try:
            value = self.observe()
        except (HostError, FleetError) as error:
            self.last = _one_line(error)
            raise
        self.stalled.saw(value)
        self.last = str(value)
        return value


def until(
    what: str,
    observe: Callable[[], T],
    done: Callable[[T], bool],
    *,
    patience: float,
    notice: Callable[[float, str, float], None],
    mark: Callable[[T], object] = lambda value: None,
    interval: float = 1.0,
) -> T:
    """Observes until `done`, and returns the last value.

    A host that is unreachable or slow is observed again; every other error ends the wait at once. `patience` and
    `interval` are in seconds. Whenever `mark` of the value changes, `patience` starts again.
    `notice` gets, after each value, the seconds waited, a description of the value, and the seconds without a
    change. Raises `TimedOut` when `patience` has passed.
    """
    import tenacity

    start = time.monotonic()
    observer = _Observer(observe, Stalled(patience, mark))
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass) | tenacity.retry_if_result(lambda value: not done(value)),
        stop=lambda state: observer.stalled.over(),
        wait=tenacity.wait_fixed(interval),
        before_sleep=lambda state: notice(time.monotonic() - start, observer.last, observer.stalled.quiet()),
    )
    try:
        return retrying(observer.once)
    except tenacity.RetryError:
        raise TimedOut(what, time.monotonic() - start, observer.last) from None
