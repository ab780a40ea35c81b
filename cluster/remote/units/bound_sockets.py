"""Unix sockets with a path: their files stay when a process is killed, for example those of vLLM's queues in
/tmp."""

import os
import stat
from collections import Counter
from typing import Iterator


def bound_by(pids: "set[int]") -> "Iterator[tuple[str, int]]":
    """Yields path and inode of the socket files of these processes.

    A name may hold any character, so it may look like another line of the table. A socket with two lines is left
    out. The name of a line must be a socket's file.
    """
    held = {inode for pid in pids for inode in unix_sockets(pid)}
    lines = list(unix_table())
    counts = Counter(inode for inode, _ in lines)
    for inode, path in lines:
        if path.startswith("/") and inode in held and counts[inode] == 1:
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISSOCK(status.st_mode):
                yield path, status.st_ino


def unix_sockets(pid: int) -> "Iterator[str]":
    """Yields the inodes of the Unix sockets of the process: other kinds have no line in the table."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        try:
            kind, target = os.getxattr(path, "system.sockprotoname"), os.readlink(path)
        except OSError:
            continue
        if kind.startswith(b"UNIX"):
            yield target[len("socket:[") : -1]


def bound() -> "Iterator[str]":
    """Yields every path to which a socket of this network namespace is bound, or claims to be bound."""
    return (path for _, path in unix_table() if path.startswith("/"))


def unix_table() -> "Iterator[tuple[str, str]]":
    """Yields the inode and the name of each Unix socket of this network namespace; most have no name."""
    try:
        with open("/proc/net/unix", errors="surrogateescape", newline="\n") as file:
            lines = file.readlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.rstrip("\n").split(None, 7)
        if len(words) >= 7:
            yield words[6], "".join(words[7:])
