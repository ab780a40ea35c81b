"""Relays packets between two interfaces, late and with losses: run as a program, in their network namespace.

Arguments: the two interfaces, seconds that a packet takes, and the share of packets that are lost.
"""

from __future__ import annotations

import heapq
import itertools
import random
import select
import socket
import struct
import sys
import time

_SOL_PACKET, _ADD_MEMBERSHIP, _VNET_HEADER = 263, 1, 15
_EVERY_PROTOCOL, _PROMISCUOUS, _OUTGOING = 3, 1, 4
_MAX_PACKET = 1 << 17


def port(name: str) -> socket.socket:
    """Opens a socket whose packets keep their virtio header: a checksum that is not filled in stays marked so."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    raw.setsockopt(_SOL_PACKET, _VNET_HEADER, 1)
    raw.bind((name, 0))
    membership = struct.pack("iHH8s", socket.if_nametoindex(name), _PROMISCUOUS, 0, b"")
    raw.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
    raw.setblocking(False)
    return raw


def relay(first: socket.socket, second: socket.socket, delay: float, loss: float, chance: random.Random) -> None:
    """Relays for ever. A packet that the other end does not take is lost, as on a wire."""
    onward, number = {first: second, second: first}, itertools.count()
    in_flight: list[tuple[float, int, socket.socket, bytes]] = []
    while True:
        timeout = max(0.0, in_flight[0][0] - time.monotonic()) if in_flight else None
        for source in select.select(list(onward), [], [], timeout)[0]:
            packet, (_, _, kind, *_) = source.recvfrom(_MAX_PACKET)
            if kind != _OUTGOING and chance.random() >= loss:
                heapq.heappush(in_flight, (time.monotonic() + delay, next(number), onward[source], packet))
        while in_flight and in_flight[0][0] <= time.monotonic():
            _, _, out, packet = heapq.heappop(in_flight)
            try:
                out.send(packet)
            except OSError:
                continue


if __name__ == "__main__":
    print("ready", flush=True)
    relay(port(sys.argv[1]), port(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), random.Random(7))
