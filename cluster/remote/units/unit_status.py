"""The status of a unit: whether it runs, the new part of its log, and how much its processes have read.

Data:
- folder: that of the unit
- trees: the folders of all units that count for the bytes read
- offset: the position in the log
- health: a URL, or empty
"""

import json
import os
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from cluster.remote.common.http_exchange import http_exchange
    from cluster.remote.common.owned_folder import OpenFolder, unit_folder
    from cluster.remote.common.processes import payload, processes
    from cluster.remote.common.unit_processes import unit_pids
    from cluster.remote.common.unit_state import presence

MOST = 1 << 20
#: Bytes of a longer log that are read the first time.
START = 256 << 10


def log_since(unit: Any, offset: int) -> dict[str, Any]:
    if not isinstance(unit, OpenFolder):
        return {"offset": 0, "text": ""}
    try:
        with open(unit.open("log"), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            begun = offset if 0 < offset <= size else 0
            first = "" if begun or size <= MOST else start_of(file)
            file.seek(max(begun, size - MOST))
            text = file.read(MOST).decode(errors="replace")
            return {"offset": file.tell(), "text": first + text}
    except OSError:
        return {"offset": 0, "text": ""}


def start_of(file: "BinaryIO") -> str:
    """Returns how the engine started, to the last whole line; the text after it may come from its clients."""
    first = file.read(START).decode(errors="replace").rpartition("\n")[0]
    return first + "\n[a part of the log was left out here]\n"


def bytes_read(pids: set[int]) -> int:
    """Returns the bytes read by these processes so far, from files and, for mapped files, from storage."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/io") as file:
                counts = dict(line.split(": ") for line in file.read().splitlines())
            total += int(counts["rchar"]) + int(counts["read_bytes"])
        except (OSError, ValueError, KeyError):
            continue
    return total


def health(url: str) -> int:
    """Returns the HTTP status, 0 without an answer."""
    return http_exchange(url, None, "", 2.0)[0]


def main() -> None:
    data = payload()
    table = processes()
    pids = {pid for tree in map(unit_folder, data["trees"]) for pid in unit_pids(tree, table)}
    unit = unit_folder(data["folder"])
    status = {**presence(unit), **log_since(unit, data["offset"]), "read": bytes_read(pids)}
    print(json.dumps({**status, "health": health(data["health"]) if data["health"] else 0}))


main()
