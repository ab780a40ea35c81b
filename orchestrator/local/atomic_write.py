"""A file on this machine, written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from orchestrator.local.private_folder import private_folder

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: A name that nobody can have taken, and no link of anybody is followed.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def atomic_write(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replaces `path`, whoever else writes it; the umask applies to `mode`. Raises OSError, and leaves nothing.
    The content is on the disk before the file gets its name. Without that, some file systems show an empty
    file after a power cut. Every file here is small, and a command writes it once."""
    folder = os.open(path.parent, _FOLDER)
    try:
        _replace(folder, path.name, content, mode)
    finally:
        os.close(folder)


def private_write(path: Path, content: bytes) -> None:
    """Replaces `path` in a private folder; only this user can read the file. Raises OSError as `atomic_write`."""
    with private_folder(path.parent) as folder:
        _replace(folder, path.name, content, 0o600)


def write_output(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Writes a file whole or not at all, and into a fifo or a device as a shell would. Raises OSError."""
    if path.is_fifo() or path.is_char_device():
        with open(_opened(path), "wb") as file:
            file.write(content)
    else:
        atomic_write(Path(os.path.realpath(path)), content, mode)


def _opened(path: Path) -> int:
    """Refuses a fifo without a reader, because waiting for one could hang."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, "no process reads it") if error.errno == errno.ENXIO else error from None
    os.set_blocking(file, True)
    return file


def _replace(folder: int, name: str, content: bytes, mode: int) -> None:
    scratch = f".{name[:40]}.{secrets.token_hex(8)}.new"
    file = os.open(scratch, _NEW, mode, dir_fd=folder)
    try:
        with open(file, "wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(writing.fileno())
        _refuse_special(folder, name)
        os.replace(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(scratch, dir_fd=folder)


def _refuse_special(folder: int, name: str) -> None:
    """Refuses to replace a device, a fifo or a link by a file."""
    with suppress(FileNotFoundError):
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise FileExistsError(errno.EEXIST, "it is not a regular file", name)
