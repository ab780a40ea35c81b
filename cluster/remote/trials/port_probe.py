"""Probes ports of other hosts, all at once.

Data:
- targets: peer, address, port, and answers (whether our own listener is there, which answers)
- limit: seconds for one step of one try
- length: bytes that our own listener waits for

Prints one line of JSON: reaches, each target with its problem, which is empty where it succeeded.
"""

import json
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.processes import payload

TIMED_OUT = (socket.timeout, TimeoutError)
AT_ONCE = 256


def attempt(address: str, port: int, length: int, limit: float) -> str:
    """Returns why the try failed, or an empty text. No byte is sent where `length` is 0."""
    try:
        with socket.create_connection((address, port), limit) as connection:
            # Closes with a reset: otherwise the port is blocked for a minute for the next program.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return exchange(connection, length) if length else ""
    except TIMED_OUT:
        return "timed out"
    except ConnectionRefusedError:
        return "refused"
    except OSError as problem:
        return (problem.strerror or str(problem)).lower()


def exchange(connection: socket.socket, length: int) -> str:
    """Sends packets as large as possible: one that is too large for a link on the way is dropped without an
    error."""
    try:
        connection.sendall(bytes(length))
        return "" if connection.recv(1) else "hung up"
    except TIMED_OUT:
        return "lost what was sent"


def reach(target: dict[str, Any], length: int, limit: float) -> dict[str, Any]:
    problem = attempt(target["address"], target["port"], length if target["answers"] else 0, limit)
    return {**{key: target[key] for key in ("peer", "address", "port")}, "problem": problem}


def main() -> None:
    data = payload()
    targets = data["targets"]
    with ThreadPoolExecutor(min(len(targets), AT_ONCE) or 1) as pool:
        reaches = list(pool.map(lambda target: reach(target, data["length"], data["limit"]), targets))
    print(json.dumps({"reaches": reaches}))


main()
