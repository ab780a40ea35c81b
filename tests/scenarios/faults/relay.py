"""Carries packets between two interfaces, late and with losses: run as a program, in their network namespace.

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
_MOST = 1 << 17


def port(name: str) -> socket.socket:
    """Packets come and go with their virtio header: a checksum that nobody has filled in stays marked as such."""
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    one.setsockopt(_SOL_PACKET, _VNET_HEADER, 1)
    one.bind((name, 0))
    membership = struct.pack("iHH8s", socket.if_nametoindex(name), _PROMISCUOUS, 0, b"")
    one.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
    one.setblocking(False)
    return one


def carry(first: socket.socket, second: socket.socket, delay: float, loss: float, chance: random.Random) -> None:
    """For ever. What the other end does not take is lost, as on a wire."""
    onward, number = {first: second, second: first}, itertools.count()
    under_way: list[tuple[float, int, socket.socket, bytes]] = []
    while True:
        patience = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for one in select.select(list(onward), [], [], patience)[0]:
            packet, (_, _, kind, *_) = one.recvfrom(_MOST)
            if kind != _OUTGOING and chance.random() >= loss:
                heapq.heappush(under_way, (time.monotonic() + delay, next(number), onward[one], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, out, packet = heapq.heappop(under_way)
            try:
                out.send(packet)
            except OSError:
                continue


if __name__ == "__main__":
    print("ready", flush=True)
    carry(port(sys.argv[1]), port(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), random.Random(7))
