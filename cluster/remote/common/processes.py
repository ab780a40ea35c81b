"""What /proc says of processes: who is alive, and who belongs to a unit of ours."""

import json
import os
import sys
from typing import Any, Iterator, NamedTuple

#: What a record of a keeper must hold to be of any use.
RECORDED = {"argv", "fingerprint", "launched", "keeper", "ticks", "boot", "status"}


class Process(NamedTuple):
    """One line of /proc/PID/stat. `ticks` is the start time, which with the pid survives the pid's reuse."""

    pid: int
    state: str
    parent: int
    session: int
    ticks: int


def payload() -> dict[str, Any]:
    """The data that came after the program's own text."""
    data: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    return data


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def process(pid: int) -> "Process | None":
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return Process(pid, words[0], int(words[1]), int(words[3]), int(words[19]))


def processes() -> dict[int, Process]:
    """Every process that is alive; zombies are not."""
    everything = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {entry.pid: entry for entry in everything if entry and entry.state not in "ZX"}


def command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def read_record(folder: str) -> "dict[str, Any] | None":
    """What the keeper wrote of the unit in this folder; None where there is none or it cannot be read."""
    try:
        with open(os.path.join(folder, "record.json")) as file:
            record = json.load(file)
        return record if isinstance(record, dict) and set(record) >= RECORDED else None
    except (OSError, ValueError):
        return None


def runs(record: dict[str, Any]) -> bool:
    """Whether the keeper of this record is the one that lives, and its leader has not ended.

    One that was killed stays as a zombie where nobody collects it, as under the first process of a container.
    """
    keeper = process(record["keeper"]) if record["boot"] == boot_id() else None
    lives = keeper is not None and keeper.ticks == record["ticks"] and keeper.state not in "ZX"
    return lives and record["status"] is None and not record.get("stopping")


def unit_pids(folder: str, table: dict[int, Process]) -> set[int]:
    """The living processes of the unit in `folder`: keeper, leader and all that descends from them.

    Three traces, since each can be lost: the tree below the keeper (a child subreaper, so orphans stay below
    it), its session, and, once the keeper is gone or its record lost, whoever still writes to a file of the unit.
    """
    record = read_record(folder)
    if record is None or record["boot"] != boot_id():
        return below(table, set(writers(folder)))
    keeper, ticks = record["keeper"], record["ticks"]
    now = table.get(keeper)
    if now and now.ticks == ticks:
        return below(table, {keeper})
    # A pid that is a session's id is not given out again while the session has members.
    session = (
        set() if now else {entry.pid for entry in table.values() if entry.session == keeper and is_ours(entry.pid)}
    )
    return below(table, session | set(writers(folder)))


def is_ours(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def below(table: dict[int, Process], roots: set[int]) -> set[int]:
    """`roots` that are alive, and everything that descends from them."""
    pids = {pid for pid in roots if pid in table}
    while True:
        more = {entry.pid for entry in table.values() if entry.parent in pids} - pids
        if not more:
            return pids
        pids |= more


def writers(folder: str) -> Iterator[int]:
    """Processes of this user that hold a file below `folder` open for writing."""
    inside = os.path.realpath(folder) + "/"
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid() and _writes_below(f"/proc/{name}/fd", inside):
            yield int(name)


def _writes_below(descriptors: str, inside: str) -> bool:
    return any(writable and target.startswith(inside) for target, writable in links(descriptors))


def links(folder: str) -> "Iterator[tuple[str, bool]]":
    """What each descriptor points to, and whether for writing; one that closes meanwhile does not hide others."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        try:
            link = os.readlink(path), bool(os.lstat(path).st_mode & 0o200)
        except OSError:
            continue
        yield link
