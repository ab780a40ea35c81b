"""The shared names of a unit's processes: POSIX shared memory in /dev/shm, and sockets in /tmp.

They stay when all their users are killed: vLLM's queues between its processes take up to 240 MiB each.
"""

import os
import threading
from typing import TYPE_CHECKING, Any, Callable, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.processes import links
    from cluster.remote.units.bound_sockets import bound, bound_by

SHARED_MEMORY = "/dev/shm"
#: The memory map of a process that hangs in the kernel may be locked: a stop must not hang with it.
MAP_PATIENCE = 2.0


def note_shared(pids: "set[int]", noted: "dict[str, int]") -> None:
    """Adds the shared names of these processes, each path with its inode."""
    bounded(_note_shared, pids, noted)


def remove_unused(noted: "dict[str, int]") -> None:
    """Removes those that are still the same file, belong to this user, and have no running user process."""
    bounded(_remove_unused, dict(noted))


def bounded(task: "Callable[..., None]", *words: Any) -> None:
    thread = threading.Thread(target=task, args=words, daemon=True)
    thread.start()
    thread.join(MAP_PATIENCE)


def _note_shared(pids: "set[int]", noted: "dict[str, int]") -> None:
    for pid in pids:
        for path, inode, mode in mapped(pid):
            if is_shared_memory(path, mode) and is_still(path, inode):
                noted[path] = inode
    noted.update((path, inode) for path, inode in bound_by(pids) if is_still(path, inode))


def is_shared_memory(path: str, mode: str) -> bool:
    """Returns whether it is shared memory: several processes write to it.

    Weights in /dev/shm are mapped for reading, and the names of shared memory have no folders.
    """
    return os.path.dirname(path) == SHARED_MEMORY and mode == "rw-s"


def is_still(path: str, inode: int) -> bool:
    """Returns whether the path still has this inode. A process may have its own /dev/shm, where the path is
    another file."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return status.st_ino == inode and status.st_uid == os.getuid()


def _remove_unused(noted: "dict[str, int]") -> None:
    left = {path for path, inode in noted.items() if is_still(path, inode)}
    if left:
        for path in left - in_use():
            discard(path)


def discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def in_use() -> "set[str]":
    """Returns every path that a process of this host has mapped, open or bound, as far as we have permission."""
    paths = set(bound())
    for name in filter(str.isdigit, os.listdir("/proc")):
        paths.update(path for path, _, _ in mapped(int(name)))
        paths.update(path for path, _ in links(f"/proc/{name}/fd"))
    return paths


def mapped(pid: int) -> "Iterator[tuple[str, int, str]]":
    """Yields path, inode and mode of each file that the process has mapped; none once it has exited."""
    try:
        with open(f"/proc/{pid}/maps", errors="replace") as file:
            lines = file.readlines()
    except OSError:
        return
    for line in lines:
        words = line.rstrip("\n").split(None, 5)
        if len(words) == 6:
            yield words[5], int(words[4]), words[1]
