"""The lock on the head: held by a program there for as long as it hears from us."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from cluster.command import Command, Probe, last_json, program
from cluster.errors import CommandFailed, Held, HostError, LeaseLost, Unintelligible, Unreachable
from cluster.hints import STATE_HINTS
from cluster.host import Channel, Host
from cluster.values import Lease

#: Seconds between two heartbeats, and of silence after which the owner counts as gone.
_BEAT = 2.0
_SILENCE = 20.0

#: Seconds that a good-bye may take, and an answer.
_FAREWELL = 5.0
_ANSWER = 30.0

_DAY = 86400.0


def hold(lease: Lease, state: str, venv: str) -> Command:
    """The program that holds the lease."""
    payload = {"folder": state, "lease": _fields(lease), "silence": _SILENCE}
    parts = ("processes", "files", "lease")
    return program(parts, payload, title="take the lease", venv=venv, timeout=7 * _DAY, hints=STATE_HINTS)


def breaking(by: Lease, state: str, venv: str) -> Probe[Lease | None]:
    """Ends the program that holds the lease; says whose it was, None when nobody held it."""
    payload = {"folder": state, "by": _fields(by)}
    command = program(("processes", "files", "unlock"), payload, title="break the lease", venv=venv)
    return Probe(command, lambda said: _lease(last_json(said)["held"]))


def break_lease(head: Host, state: str, venv: str, by: Lease) -> Lease | None:
    """Breaks the lease on purpose; its owner hears who did it and why. The lease that was broken comes back."""
    return head.ask(breaking(by, state, venv))


class _Hold:
    """One run of the program that holds the lease, kept alive by a heartbeat."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._done = threading.Event()
        self.lost = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def release(self) -> None:
        """Says good-bye and waits until the host has heard it; an owner who vanishes without is told of later."""
        self._done.set()
        with suppress(HostError, EOFError):
            self._channel.send(b"bye\n")
            self._channel.read_line(_FAREWELL)
        self._channel.close()

    def lives(self) -> bool:
        """Whether the program still hears us; asked now, not at the last beat."""
        if self.lost.is_set():
            return False
        try:
            self._channel.send(b"\n")
        except HostError:
            self.lost.set()
        return not self.lost.is_set()

    def broken_by(self) -> Lease | None:
        """Who broke it, where the program could still say so."""
        with suppress(HostError, EOFError, ValueError, KeyError):
            return _lease(last_json(self._channel.read_line(0.5) or "")["broken"])
        return None

    def _beat(self) -> None:
        while not self._done.wait(_BEAT):
            try:
                self._channel.send(b"\n")
            except HostError:
                self.lost.set()
                return


class HeldLease:
    """A lease that is ours until `release`; `left_by` is the owner before us where they left without a word."""

    def __init__(
        self, host: str, cluster: str, mine: Lease, hold: Callable[[], tuple[_Hold, Lease | None]]
    ) -> None:
        self._host = host
        self._cluster = cluster
        self._mine = mine
        self._again = hold
        self._hold, self.left_by = hold()

    def release(self) -> None:
        self._hold.release()

    def check(self) -> None:
        """Raises LeaseLost when it is ours no more. One that only lost its connection is taken again."""
        if self._hold.lives():
            return
        breaker = self._hold.broken_by()
        self._hold.release()
        if breaker:
            raise LeaseLost(self._cluster, breaker)
        try:
            self._hold, before = self._again()
        except Held as held:
            if held.lease == self._mine:
                # The host has not noticed yet that our old connection is gone.
                raise Unreachable(
                    self._host, "take the lease again", cause="our own old lease is still held"
                ) from None
            raise LeaseLost(self._cluster, held.lease) from None
        if before != self._mine:
            # Somebody had it in between: what we saw of the hosts may no longer be so.
            raise LeaseLost(self._cluster, before or _SOMEBODY)


_SOMEBODY = Lease("somebody", "a machine that did not say", "", "unknown")


def take(host: Host, cluster: str, lease: Lease, state: str, venv: str, patience: float = _ANSWER) -> HeldLease:
    """Takes the lease on the head and keeps it alive. Raises `Held` when somebody else has it."""
    return HeldLease(host.name, cluster, lease, lambda: _take(host, cluster, hold(lease, state, venv), patience))


def _take(host: Host, cluster: str, command: Command, patience: float) -> tuple[_Hold, Lease | None]:
    channel = host.open(command)
    try:
        said = last_json(_first_line(host, command, channel, patience))
        if "held" in said:
            raise Held(cluster, _lease(said["held"]) or _SOMEBODY)
        return _Hold(channel), _lease(said["taken"])
    except BaseException as error:
        channel.close()
        if isinstance(error, ValueError | KeyError):
            raise Unintelligible(host.name, command.title, str(error)) from None
        raise


def _first_line(host: Host, command: Command, channel: Channel, patience: float) -> str:
    """The first line that is JSON: a user's shell may greet before it runs our program."""
    try:
        while True:
            line = channel.read_line(patience)
            if line is None:
                raise Unreachable(host.name, command.title, cause=f"no answer within {patience:g} s")
            if line.startswith("{"):
                return line
    except EOFError:
        result = channel.result()
        raise CommandFailed(host.name, command, result.status, result.stdout, result.stderr) from None


def _fields(lease: Lease) -> dict[str, str]:
    return {"owner": lease.owner, "machine": lease.machine, "since": lease.since, "reason": lease.reason}


def _lease(said: dict[str, str] | None) -> Lease | None:
    return Lease(said["owner"], said["machine"], said["since"], said["reason"]) if said else None
