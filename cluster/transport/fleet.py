"""All hosts at once."""

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

#: How long Ctrl-C may go unheard, in seconds.
_ATTENTION = 0.2
#: How long hanging up may take, in seconds, for all hosts together.
_FAREWELL = 5.0


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals wait: Ctrl-C in the middle of `Thread.start` leaves one of its locks in disorder."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
        while not self._done.wait(_ATTENTION) and time.monotonic() < deadline:
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
    """At the same time; whoever waits for them can be interrupted. Raises what one of them raises."""
    with _undisturbed():
        one, other = _Job(first, "first"), _Job(second, "second")
    one.wait()
    other.wait()
    return one.result(), other.result()


def errors_of(outcomes: Mapping[str, T | HostError]) -> list[HostError]:
    """What kept hosts from giving anything, in their order."""
    return [outcome for outcome in outcomes.values() if isinstance(outcome, HostError)]


def all_of(outcomes: Mapping[str, T | HostError]) -> dict[str, T]:
    """What every host gave; raises the one `HostError`, or all in one."""
    errors = errors_of(outcomes)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise FleetError(errors)
    return {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, HostError)}


class Fleet:
    """Hosts in the order of the inventory."""

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
        """These hosts alone, in our order."""
        wanted = set(names)
        if unknown := wanted - set(self._hosts):
            raise KeyError(", ".join(sorted(unknown)))
        return Fleet([host for host in self if host.name in wanted])

    def each(self, work: Callable[[Host], T], among: Iterable[str] | None = None) -> dict[str, T | HostError]:
        """Do `work` on all hosts at once, and bring what it gave or the `HostError` it raised.

        Waits for all. Any other exception is a defect of ours: it is raised, once all are done.
        """
        hosts = self if among is None else self.subset(among)
        with _undisturbed():
            jobs = {host.name: _Job(partial(work, host), f"host {host.name}") for host in hosts}
        for job in jobs.values():
            job.wait()
        return {name: job.outcome() for name, job in jobs.items()}

    def within(self, seconds: float, work: Callable[[Host], T]) -> dict[str, T | HostError]:
        """As `each`, but of those hosts alone that have ended by then; the others are left to themselves."""
        with _undisturbed():
            jobs = {host.name: _Job(partial(work, host), f"host {host.name}") for host in self}
        deadline = time.monotonic() + seconds
        for job in jobs.values():
            job.wait(deadline)
        return {name: job.outcome() for name, job in jobs.items() if job.ended}

    def all(self, work: Callable[[Host], T], among: Iterable[str] | None = None) -> dict[str, T]:
        """As `each`, for work that must succeed everywhere: raises the one `HostError`, or all in one."""
        return all_of(self.each(work, among))

    def close(self) -> None:
        """Hang up everywhere at once; a host that does not let go is left behind."""
        with _undisturbed():
            jobs = [_Job(host.close, f"host {host.name}") for host in self]
        deadline = time.monotonic() + _FAREWELL
        for job in jobs:
            job.wait(deadline)
