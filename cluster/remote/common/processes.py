"""Facts about processes from /proc."""

import json
import os
import sys
from typing import Any, Iterator, NamedTuple


class Process(NamedTuple):
    """One line of /proc/PID/stat. `ticks` is the start time: with it, the pid stays unique after its reuse."""

    pid: int
    state: str
    parent: int
    session: int
    ticks: int


def payload() -> dict[str, Any]:
    """Returns the data that came after the program's own text."""
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
    """Returns every running process; zombies do not count."""
    everything = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {entry.pid: entry for entry in everything if entry and entry.state not in "ZX"}


def command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def process_name(pid: int) -> str:
    """Returns the name as the kernel keeps it: at most 15 characters."""
    try:
        with open(f"/proc/{pid}/comm", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def is_ours(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def below(table: dict[int, Process], roots: set[int]) -> set[int]:
    """Returns the running processes of `roots`, and all their descendants."""
    pids = {pid for pid in roots if pid in table}
    while True:
        more = {entry.pid for entry in table.values() if entry.parent in pids} - pids
        if not more:
            return pids
        pids |= more


def links(folder: str) -> "Iterator[tuple[str, bool]]":
    """Yields the target of each descriptor, and whether it is open for writing. One that closes meanwhile is
    skipped."""
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
