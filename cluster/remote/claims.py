"""Whose a port of this host is before anybody listens on it: a name that ends with its holder, however that ends.

A Ray that comes up binds its ports for seconds, one after the other. Where a check of ours listens on one of them
at that moment, its raylet dies, and `ray start` says half a minute later that it did not come up (measured).
"""

import socket
import time
from typing import Any

#: Seconds for a check to be done with a port.
CHECKED = 10.0


def claim(port: int) -> "socket.socket | None":
    """None where somebody has it: a unit of ours for as long as it runs, or a check for a moment."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0orchestrator port {port}")
    except OSError:
        name.close()
        return None
    return name


def claimed(ports: "list[int]") -> "list[Any]":
    """Ours for as long as the keeper lives; without those that somebody does not give back in time."""
    end = time.monotonic() + CHECKED
    found = []
    for port in ports:
        mine = claim(port)
        while mine is None and time.monotonic() < end:
            time.sleep(0.05)
            mine = claim(port)
        found.append(mine)
    return found
