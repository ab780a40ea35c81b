"""What keeps a lease alive, and knows when it may be ours no more: a heartbeat, and the answers to it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from cluster.command import json_lines
from cluster.errors import HostError
from cluster.transport.conversation import Channel, Conversation, heartbeat
from cluster.values import Lease
from cluster.values.base import shaped

#: Seconds between two heartbeats, and of silence after which the host counts the owner as gone.
_BEAT = 2.0
SILENCE = 20.0

#: For so long the last answer of the host proves that the lease is ours; then it has to be asked, and to answer
#: within `_PROOF` seconds. Less than its own limit: it counts from what it heard, and we from what we sent.
_TRUST = 12.0
_PROOF = 3.0

#: Seconds that a good-bye may take.
_FAREWELL = 5.0

#: Goes on while this machine sleeps, as the host's clock does; on macOS the other one does so too.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds, those in which this machine slept among them."""
    return time.clock_gettime(_CLOCK)


class LeaseKeepalive:
    """One run of the program that holds the lease, kept alive by a heartbeat, which it answers.

    A heartbeat is the time at which it was sent, and so is its answer: the host heard us no earlier than that.
    """

    def __init__(self, channel: Channel, begun: float) -> None:
        self._channel = channel
        self._proved = begun
        self._breaker: Lease | None = None
        self._news = threading.Condition()
        self._done = threading.Event()
        self.lost = threading.Event()
        self._ears = threading.Thread(target=self._listen, daemon=True)
        self._ears.start()
        heartbeat(self._send, _BEAT, self.lost)

    def release(self) -> None:
        """Says good-bye and waits until the host has heard it; an owner who vanishes without is told of later."""
        with suppress(HostError):
            self._channel.send(b"bye\n")
            self._ears.join(_FAREWELL)
        self.abandon()

    def abandon(self) -> None:
        """Hangs up without a word: the host remembers that it was ours."""
        self._done.set()
        self.lost.set()
        self._channel.close()

    def lives(self) -> bool:
        """Whether the program still hears us: asked now, and waited for where its last answer is too old."""
        if not self.lost.is_set():
            self._send()
        with self._news:
            return self._news.wait_for(self._settled, _PROOF) and not self.lost.is_set()

    def broken_by(self) -> Lease | None:
        """Who broke it, where the program could still say so."""
        self._ears.join(0.5)
        return self._breaker

    def _settled(self) -> bool:
        return self.lost.is_set() or now() - self._proved < _TRUST

    def _send(self) -> None:
        try:
            self._channel.send(f"{now()}\n".encode())
        except HostError:
            with self._news:
                self.lost.set()
                self._news.notify_all()

    def _listen(self) -> None:
        """To the end of what the program says. That it has ended is known by the next heartbeat."""
        with suppress(HostError):
            for line in Conversation(self._channel).lines(_BEAT, self._done.is_set):
                for message in json_lines(line or ""):
                    self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        with self._news, suppress(ValueError, KeyError, TypeError):
            if "broken" in message:
                self._breaker = lease_of(message["broken"])
            else:
                # It echoes our own clock: nobody has heard us later than now.
                self._proved = max(self._proved, min(float(message["heard"]), now()))
            self._news.notify_all()


def lease_of(fields: object) -> Lease | None:
    """Returns None where nobody holds it. Raises ValueError for what is no lease."""
    return shaped(Lease, fields) if fields else None
