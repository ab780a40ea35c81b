"""Private folders and files, for the programs that write on a host."""

import errno
import os
import shutil
import stat

LOGS_KEPT = 5
#: A log that is cut short keeps its beginning: what the start of an engine said is looked at as long as it runs.
LOG_HEAD = 1 << 20


def secure_folder(path: str) -> None:
    """Makes a private folder in a private folder; one of somebody else under our name is refused, not used."""
    for folder in (os.path.dirname(path), path):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.stat(folder)
        if os.path.islink(folder) or status.st_uid != os.getuid():
            raise SystemExit(f"{folder} belongs to somebody else")
        # One that is private already may lie on a disk that has become read-only.
        if stat.S_IMODE(status.st_mode) != 0o700:
            os.chmod(folder, 0o700)


def write_private(path: str, text: str) -> None:
    """Writes all or nothing, readable by us alone from the first byte on. Several may write the same file.

    It does not sync. What these files describe ends with the host, and readers take an empty one for none; on a
    disk that is busy with a checkpoint a sync may take long.
    """
    scratch = f"{path}.{os.getpid()}.new"
    try:
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        os.replace(scratch, path)
    except OSError:
        discard(scratch)
        raise


def discard(path: str) -> None:
    """Removes a file, if it is there and can be removed."""
    try:
        os.unlink(path)
    except OSError:
        pass


def remove_if_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass


def open_lease(folder: str, flags: int) -> int:
    """What the lease of this folder is a lock on: a file, for reading alone where it cannot be written.

    Without a file on a read-only disk, where nobody can make one, it is the folder itself.
    """
    path = os.path.join(folder, "lease")
    try:
        return os.open(path, flags, 0o600)
    except OSError as problem:
        frozen = problem.errno == errno.EROFS or read_only(folder)
        if problem.errno not in (errno.EROFS, errno.EACCES, errno.EPERM) and not frozen:
            raise
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            if not frozen:
                raise problem from None
    return os.open(folder, os.O_RDONLY)


def read_only(folder: str) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def is_lease(file: int, folder: str) -> bool:
    """Whether it still is what others lock: a holder that leaves removes the file."""
    path = folder if stat.S_ISDIR(os.fstat(file).st_mode) else os.path.join(folder, "lease")
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def shift(log: str) -> None:
    """Makes room for a log.1: what has this name becomes log.2, and so on."""
    for number in range(LOGS_KEPT - 1, 1, -1):
        if os.path.exists(f"{log}.{number - 1}"):
            os.replace(f"{log}.{number - 1}", f"{log}.{number}")


def rotate(log: str) -> None:
    """The log of this launch begins empty; those of the launches before it are log.1, log.2 and so on."""
    shift(log)
    if os.path.exists(log):
        os.replace(log, f"{log}.1")


def cut(log: str) -> None:
    """Copies the log to log.1 and cuts it short; whoever writes appends, and so goes on at the new end.

    What is written between the last byte copied and the cut is lost. On a full disk all stays as it is.
    """
    copy = f"{log}.copy"
    try:
        with open(log, "r+b") as file:
            with open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as older:
                shutil.copyfileobj(file, older, 1 << 20)
            shift(log)
            os.replace(copy, f"{log}.1")
            file.truncate(LOG_HEAD)
        with open(log, "ab") as file:
            file.write(b"\n[what was said here is in log.1]\n")
    except OSError:
        discard(copy)
