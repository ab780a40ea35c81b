"""Whose a port of this host is before anybody listens on it: names that end with their holder, however that ends.

A Ray that comes up binds its ports for seconds, one after the other. Where a check of ours listens on one of them
at that moment, its raylet dies, and `ray start` says half a minute later that it did not come up (measured).
Each side gives its name first and looks for the other's then, so that one of the two sees the other.
"""

import socket
import time
from typing import Any

#: Seconds for a check to be done with a port.
CHECKED = 10.0


def for_unit(ports: "list[int]") -> "list[Any]":
    """The names of these ports, given for as long as they are kept; no check listens on any of them then, but for
    one that hangs. Other units may have given the same: they are somebody else's to compare."""
    names = [name(f"unit {port}") for port in ports]
    end = time.monotonic() + CHECKED
    while any(given(f"check {port}") for port in ports) and time.monotonic() < end:
        time.sleep(0.05)
    return names


def for_check(port: int) -> Any:
    """The name of this port, given for as long as it is kept; None where a unit or another check has it."""
    mine = name(f"check {port}")
    if mine and given(f"unit {port}"):
        mine.close()
        return None
    return mine


def name(words: str) -> "socket.socket | None":
    """A name within this host's network, as its ports are. None where it is given already."""
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        endpoint.bind(f"\0orchestrator {words}")
    except OSError:
        endpoint.close()
        return None
    return endpoint


def given(words: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as endpoint:
        try:
            endpoint.connect(f"\0orchestrator {words}")
        except OSError:
            return False
    return True
