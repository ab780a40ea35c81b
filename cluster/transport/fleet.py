"""The hosts of a cluster, all at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeVar

from cluster.errors import FleetError, HostError
from cluster.transport.host import Host

T = TypeVar("T")
U = TypeVar("U")

#: Ctrl-C is noticed after at most so many seconds.
_POLL_INTERVAL = 0.2
#: Seconds for closing all hosts together.
_CLOSE_TIMEOUT = 5.0


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Blocks signals: Ctrl-C in the middle of `Thread.start` leaves one of its locks in disorder."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # A signal that arrived before the block is raised here.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _Job(Generic[T]):
    """Work in a thread that does not keep the program alive."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._done = threading.Event()
        self._outcome: list[T | HostError] = []
        self._defect: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except HostError as error:
            self._outcome.append(error)
        except BaseException as defect:
            self._defect = defect
        finally:
            self._done.set()

    def wait(self, deadline: float = float("inf")) -> None:
        while not self._done.wait(_POLL_INTERVAL) and time.monotonic() < deadline:
            pass

    @property
    def ended(self) -> bool:
        return self._done.is_set()

    def outcome(self) -> T | HostError:
        if self._defect:
            raise self._defect
        return self._outcome[0]

    def result(self) -> T:
        outcome = self.outcome()
        if isinstance(outcome, HostError):
            raise outcome
        return outcome


def both(first: Callable[[], T], second: Callable[[], U]) -> tuple[T, U]:
    """Runs both at the same time; Ctrl-C interrupts the wait. Raises the exception of either."""
    with _signals_blocked():
        jobs = _Job(first, "first"), _Job(second, "second")
    for job in jobs:
        job.wait()
    return jobs[0].result(), jobs[1].result()


def errors_of(outcomes: Mapping[str, T | HostError]) -> list[HostError]:
    """Returns the errors of hosts, in their order."""
    return [outcome for outcome in outcomes.values() if isinstance(outcome, HostError)]


def all_of(outcomes: Mapping[str, T | HostError]) -> dict[str, T]:
    """Returns the result of every host. Raises the `HostError`, or a `FleetError` of several."""
    errors = errors_of(outcomes)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise FleetError(errors)
    return {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, HostError)}


class Fleet:
    """The hosts in the order of the inventory."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts = {host.name: host for host in hosts}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._hosts)

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def __iter__(self) -> Iterator[Host]:
        return iter(self._hosts.values())

    def __len__(self) -> int:
        return len(self._hosts)

    def subset(self, names: Iterable[str]) -> Fleet:
        """Returns the fleet of these hosts, in the order of this fleet."""
        wanted = set(names)
        if unknown := wanted - set(self._hosts):
            raise KeyError(", ".join(sorted(unknown)))
        return Fleet([host for host in self if host.name in wanted])

    def each(self, work: Callable[[Host], T], among: Iterable[str] | None = None) -> dict[str, T | HostError]:
        """Does `work` on all hosts at once; returns its results, or the `HostError` that it raised.

        Waits for all. Any other exception is a defect of this program: it is raised once all have ended.
        """
        hosts = self if among is None else self.subset(among)
        with _signals_blocked():
            jobs = {host.name: _Job(partial(work, host), f"host {host.name}") for host in hosts}
        for job in jobs.values():
            job.wait()
        return {name: job.outcome() for name, job in jobs.items()}

    def within(self, seconds: float, work: Callable[[Host], T]) -> dict[str, T | HostError]:
        """Does `work` as `each` does. Returns the outcomes of hosts that ended within `seconds`, and leaves the
        others."""
        with _signals_blocked():
            jobs = {host.name: _Job(partial(work, host), f"host {host.name}") for host in self}
        deadline = time.monotonic() + seconds
        for job in jobs.values():
            job.wait(deadline)
        return {name: job.outcome() for name, job in jobs.items() if job.ended}

    def all(self, work: Callable[[Host], T], among: Iterable[str] | None = None) -> dict[str, T]:
        """Does `work` as `each` does. Unless every host succeeds, raises the `HostError`, or a `FleetError` of
        several."""
        return all_of(self.each(work, among))

    def close(self) -> None:
        """Closes all connections at once; a connection that takes longer stays open."""
        with _signals_blocked():
            jobs = [_Job(host.close, f"host {host.name}") for host in self]
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        for job in jobs:
            job.wait(deadline)
