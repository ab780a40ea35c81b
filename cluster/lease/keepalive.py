"""The heartbeat that keeps a lease, and the answers that show whether it is still held."""

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

#: Seconds between two heartbeats, and seconds of silence after which the host releases the lease.
_BEAT = 2.0
SILENCE = 20.0

#: The last answer of the host proves for this long that the lease is held. After that the host is asked, and must
#: answer within `_PROOF` seconds. This is less than the host's own limit: the host counts from what it received,
#: and we count from what we sent.
_TRUST = 12.0
_PROOF = 3.0

#: Seconds for the release to be answered.
_FAREWELL = 5.0

#: This clock runs on while the machine sleeps, as the host's clock does. On macOS the other clock does so too.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Returns seconds, including those in which this machine slept."""
    return time.clock_gettime(_CLOCK)


class LeaseKeepalive:
    """One run of the program that holds the lease, kept alive by a heartbeat that it answers.

    A heartbeat is the time at which it was sent, and its answer repeats it: the host received it no earlier than
    that.
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
        """Releases the lease and waits for the host's answer. Otherwise the next holder is shown that the
        heartbeat stopped."""
        with suppress(HostError):
            self._channel.send(b"bye\n")
            self._ears.join(_FAREWELL)
        self.abandon()

    def abandon(self) -> None:
        """Closes the connection without a release: the host remembers the holder."""
        self._done.set()
        self.lost.set()
        self._channel.close()

    def lives(self) -> bool:
        """Returns whether the program still hears us: it is asked now, and waited for if its last answer is too
        old."""
        if not self.lost.is_set():
            self._send()
        with self._news:
            return self._news.wait_for(self._settled, _PROOF) and not self.lost.is_set()

    def broken_by(self) -> Lease | None:
        """Returns who broke the lease, if the program could still report it."""
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
        """Reads the answers of the program to their end. The next heartbeat notices the end."""
        with suppress(HostError):
            for line in Conversation(self._channel).lines(_BEAT, self._done.is_set):
                for message in json_lines(line or ""):
                    self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        with self._news, suppress(ValueError, KeyError, TypeError):
            if "broken" in message:
                self._breaker = lease_of(message["broken"])
            else:
                # It echoes our own clock: the host cannot have heard us later than now.
                self._proved = max(self._proved, min(float(message["heard"]), now()))
            self._news.notify_all()


def lease_of(fields: object) -> Lease | None:
    """Returns the lease, or None where it is free. Raises ValueError for another shape."""
    return shaped(Lease, fields) if fields else None
