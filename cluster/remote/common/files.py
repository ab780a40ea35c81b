"""Logs, leases and other files in the cluster's folders, for the programs that write on a host."""

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import OpenFolder

LOGS_KEPT = 5
#: A log that is cut keeps its beginning: the messages of the engine's start are read as long as it runs.
LOG_HEAD = 1 << 20


def write_private(folder: "OpenFolder", name: str, text: str) -> None:
    """Writes all or nothing, readable only by this user from the first byte on. Several programs may write the
    same file.

    It does not sync. A sync may take long on a disk that is busy with a checkpoint. These files describe
    processes, which end with the host. Readers treat an empty file as missing.
    """
    scratch = f"{name}.{os.getpid()}.new"
    folder.discard(scratch)
    try:
        with open(folder.create(scratch), "w") as file:
            file.write(text)
        folder.rename(scratch, name)
    except OSError:
        folder.discard(scratch)
        raise


def open_lease(folder: "OpenFolder", flags: int) -> int:
    """Returns the file that the lease of this folder locks. It is opened for reading where it cannot be written.

    On a read-only disk without the file, it is the folder itself. O_CREAT in `flags` creates a missing file.
    """
    try:
        return open_or_make(folder, "lease", flags)
    except OSError as problem:
        frozen = problem.errno == errno.EROFS or read_only(folder)
        if problem.errno not in (errno.EROFS, errno.EACCES, errno.EPERM) and not frozen:
            raise
        try:
            return folder.open("lease")
        except FileNotFoundError:
            if not frozen:
                raise problem from None
    return os.open(".", os.O_RDONLY, dir_fd=folder.file)


def open_or_make(folder: "OpenFolder", name: str, flags: int) -> int:
    """Opens the file, or creates it. Another program of this user may create or remove it at the same moment: the
    caller opens it again."""
    while True:
        try:
            return folder.open(name, flags & ~os.O_CREAT)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
        try:
            return folder.create(name, flags)
        except FileExistsError:
            continue


def read_only(folder: "OpenFolder") -> bool:
    try:
        return bool(os.fstatvfs(folder.file).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def is_lease(file: int, folder: "OpenFolder") -> bool:
    """Returns whether it is still the file that others lock: a holder that exits removes the file."""
    if stat.S_ISDIR(os.fstat(file).st_mode):
        return folder.parent is None or has_name(file, folder.parent, folder.name)
    return has_name(file, folder, "lease")


def has_name(file: int, folder: "OpenFolder", name: str) -> bool:
    """Returns whether the open file still has this name."""
    try:
        return os.path.samestat(os.fstat(file), folder.status(name))
    except FileNotFoundError:
        return False


def shift(folder: "OpenFolder", log: str) -> None:
    """Makes way for a log.1: the file with this name becomes log.2, and so on."""
    for number in range(LOGS_KEPT - 1, 1, -1):
        if folder.has(f"{log}.{number - 1}"):
            folder.rename(f"{log}.{number - 1}", f"{log}.{number}")


def rotate(folder: "OpenFolder", log: str) -> None:
    """Starts an empty log for this launch; the logs of earlier launches become log.1, log.2 and so on."""
    shift(folder, log)
    if folder.has(log):
        folder.rename(log, f"{log}.1")


def cut(folder: "OpenFolder", log: str) -> None:
    """Copies the log to log.1 and cuts it. The writer appends, so it continues at the new end.

    Text written between the copy and the cut is dropped. On a full disk all stays unchanged.
    """
    copy = f"{log}.copy"
    folder.discard(copy)
    try:
        with open(folder.open(log, os.O_RDWR), "r+b") as file:
            with open(folder.create(copy), "wb") as older:
                shutil.copyfileobj(file, older, 1 << 20)
            shift(folder, log)
            folder.rename(copy, f"{log}.1")
            file.truncate(LOG_HEAD)
        with open(folder.open(log, os.O_WRONLY | os.O_APPEND), "ab") as file:
            file.write(b"\n[what was said here is in log.1]\n")
    except OSError:
        folder.discard(copy)
