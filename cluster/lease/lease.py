"""The lock on the head: a program there holds it as long as it receives our heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cluster.command import Command, Probe, last_json, program
from cluster.errors import LeaseHeld, LeaseLost, MalformedAnswer, Unreachable
from cluster.launch.unit import STATE_HINTS
from cluster.lease.keepalive import SILENCE, LeaseKeepalive, lease_of, now
from cluster.transport.conversation import first_answer
from cluster.transport.host import Host
from cluster.values import Lease
from cluster.values.base import shaped

#: Seconds for an answer.
_ANSWER = 30.0

_DAY = 86400.0


def hold(lease: Lease, state: str, venv: str) -> Command:
    """Returns the program that holds the lease."""
    payload = {"folder": state, "lease": _fields(lease), "silence": SILENCE}
    return program("lease.lease", payload, title="take the lease", venv=venv, timeout=7 * _DAY, hints=STATE_HINTS)


def breaking(by: Lease, state: str, venv: str) -> Probe[Lease | None]:
    """Ends the program that holds the lease; returns that lease, or None when it was free."""
    payload = {"folder": state, "by": _fields(by)}
    command = program("lease.break_lease", payload, title="break the lease", venv=venv, hints=STATE_HINTS)
    return Probe(command, lambda output: lease_of(last_json(output)["held"]))


def break_lease(head: Host, state: str, venv: str, by: Lease) -> Lease | None:
    """Breaks the lease on purpose and returns it. Its holder is shown who broke it, and the reason."""
    return head.ask(breaking(by, state, venv))


class _Taken(NamedTuple):
    keepalive: LeaseKeepalive
    left_by: Lease | None
    unwritten: str


class HeldLease:
    """A lease that this run holds until `release`.

    `left_by` is the previous holder, if their heartbeat stopped without a release. `unwritten` is the reason why
    other operators cannot read our lease, or empty.
    """

    def __init__(self, host: str, cluster: str, mine: Lease, take: Callable[[], _Taken]) -> None:
        self._host = host
        self._cluster = cluster
        self._mine = mine
        self._take_again = take
        self._keepalive, self.left_by, self.unwritten = take()

    def release(self) -> None:
        self._keepalive.release()

    def check(self) -> None:
        """Raises LeaseLost when this run no longer holds it. After a broken connection alone, it is taken
        again."""
        if self._keepalive.lives():
            return
        breaker = self._keepalive.broken_by()
        self._keepalive.abandon()
        if breaker:
            raise LeaseLost(self._cluster, breaker)
        try:
            self._keepalive, before, _ = self._take_again()
        except LeaseHeld as held:
            if held.lease == self._mine:
                # The host has not noticed yet that our old connection has ended.
                raise Unreachable(
                    self._host, "take the lease again", cause="the host still holds the old lease of this run"
                ) from None
            raise LeaseLost(self._cluster, held.lease) from None
        if before != self._mine:
            # Another operator held it in between: what we read from the hosts may be outdated.
            raise LeaseLost(self._cluster, before or _IN_BETWEEN)


_SOMEBODY = Lease("an unknown operator", "an unknown machine", "", "unknown")
_IN_BETWEEN = Lease("another operator", "another machine", "", "they released it before this run returned")


def take(host: Host, cluster: str, lease: Lease, state: str, venv: str, patience: float = _ANSWER) -> HeldLease:
    """Takes the lease on the head and keeps it alive. Raises `LeaseHeld` when another operator holds it."""
    return HeldLease(host.name, cluster, lease, lambda: _take(host, cluster, hold(lease, state, venv), patience))


def _take(host: Host, cluster: str, command: Command, patience: float) -> _Taken:
    begun = now()
    channel = host.open(command)
    try:
        answer = first_answer(host.name, command, channel, {"taken", "held"}, patience)
        if "held" in answer:
            raise LeaseHeld(cluster, lease_of(answer["held"]) or _SOMEBODY)
        left_by, unwritten = lease_of(answer["taken"]), shaped(str, answer.get("unwritten", ""))
        return _Taken(LeaseKeepalive(channel, begun), left_by, unwritten)
    except BaseException as error:
        channel.close()
        if isinstance(error, KeyError | TypeError | ValueError):
            raise MalformedAnswer(host.name, command.title, cause=f"the answer cannot be read: {error}") from None
        raise


def _fields(lease: Lease) -> dict[str, str]:
    return {"owner": lease.owner, "machine": lease.machine, "since": lease.since, "reason": lease.reason}
