"""The lock on the head: held by a program there for as long as it hears from us."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

from cluster.command import Command, last_json, program
from cluster.errors import Held, HostError, Unintelligible, Unreachable
from cluster.host import Channel, Host
from cluster.values import Lease

#: Seconds between two heartbeats, and of silence after which the owner counts as gone.
_BEAT = 2.0
_SILENCE = 20.0

#: Seconds that a good-bye may take.
_FAREWELL = 5.0

_DAY = 86400.0


def hold(lease: Lease, state: str, venv: str) -> Command:
    """The program that holds the lease."""
    fields = {"owner": lease.owner, "machine": lease.machine, "since": lease.since, "reason": lease.reason}
    payload = {"folder": state, "lease": fields, "silence": _SILENCE}
    parts = ("processes", "files", "lease")
    return program(parts, payload, title="take the lease", venv=venv, timeout=7 * _DAY)


@dataclass(frozen=True)
class HeldLease:
    """A lease that is ours until `release`; `left_by` is the owner before us where they left without a word."""

    left_by: Lease | None
    _channel: Channel
    _done: threading.Event

    def release(self) -> None:
        """Says good-bye and waits until the host has heard it; an owner who vanishes without is told of later."""
        self._done.set()
        with suppress(HostError, EOFError):
            self._channel.send(b"bye\n")
            self._channel.read_line(_FAREWELL)
        self._channel.close()


def take(host: Host, cluster: str, lease: Lease, state: str, venv: str, patience: float = 30.0) -> HeldLease:
    """Takes the lease on the head and keeps it alive. Raises `Held` when somebody else has it."""
    channel = host.open(hold(lease, state, venv))
    try:
        said = last_json(_first_line(host, channel, patience))
        if "held" in said:
            unknown = Lease("somebody", "a machine that did not say", "", "unknown")
            raise Held(cluster, _lease(said["held"]) or unknown)
    except BaseException as error:
        channel.close()
        if isinstance(error, ValueError):
            raise Unintelligible(host.name, "take the lease", str(error)) from None
        raise
    done = threading.Event()
    threading.Thread(target=_beat, args=(channel, done), daemon=True).start()
    return HeldLease(_lease(said["taken"]), channel, done)


def _first_line(host: Host, channel: Channel, patience: float) -> str:
    """The first line that is JSON: a user's shell may greet before it runs our program."""
    try:
        while True:
            line = channel.read_line(patience)
            if line is None:
                raise Unreachable(host.name, "take the lease", cause=f"no answer within {patience:g} s")
            if line.startswith("{"):
                return line
    except EOFError:
        raise Unintelligible(host.name, "take the lease", "the program that holds it ended at once") from None


def _beat(channel: Channel, done: threading.Event) -> None:
    while not done.wait(_BEAT):
        try:
            channel.send(b"\n")
        except HostError:
            return


def _lease(said: dict[str, str] | None) -> Lease | None:
    return Lease(said["owner"], said["machine"], said["since"], said["reason"]) if said else None
