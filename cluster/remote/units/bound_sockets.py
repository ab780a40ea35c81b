"""Unix sockets with a path: their files stay when a process is killed, as those of vLLM's queues in /tmp do."""

import os
import stat
from typing import TYPE_CHECKING, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.processes import links


def bound_by(pids: "set[int]") -> "Iterator[tuple[str, int]]":
    """Path and inode of the files of sockets that these hold. A line may lie, for paths may hold any character:
    what it names must be a socket's file."""
    held = {path for pid in pids for path, _ in links(f"/proc/{pid}/fd")}
    for inode, path in bound():
        if f"socket:[{inode}]" in held:
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISSOCK(status.st_mode):
                yield path, status.st_ino


def bound() -> "Iterator[tuple[str, str]]":
    """The inode and the path of each socket of this network namespace that is bound to one."""
    try:
        with open("/proc/net/unix", errors="surrogateescape") as file:
            lines = file.readlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.rstrip("\n").split(None, 7)
        if len(words) == 8 and words[7].startswith("/"):
            yield words[6], words[7]
