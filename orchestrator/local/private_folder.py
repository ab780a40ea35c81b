"""A folder of this machine in which no other user can write: later commands trust its content."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotPrivate(PermissionError):
    """A folder that belongs to another user, or that other users may write in. `cure` is what to do about it."""

    def __init__(self, reason: str, folder: Path, cure: str) -> None:
        super().__init__(errno.EPERM, reason, str(folder))
        self.cure = cure


@contextmanager
def private_folder(path: Path) -> Iterator[int]:
    """Yields the open folder at `path`, and creates it where it is missing. Raises OSError where it is not
    private to this user."""
    _make(path)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _refuse(os.fstat(folder), path)
        yield folder
    finally:
        os.close(folder)


def _make(path: Path) -> None:
    """Creates the folder and its parents with private modes. pathlib would create parents as the umask says."""
    if not path.parent.exists():
        _make(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def check_private(path: Path) -> None:
    """Raises OSError where a folder to read is missing, or is not private to this user."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _refuse(os.fstat(folder), path)
    finally:
        os.close(folder)


def _refuse(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.geteuid():
        cure = f"remove {path}, or set ORCHESTRATOR_STATE to a folder of your own"
        raise NotPrivate(f"its folder belongs to the user {status.st_uid}", path, cure)
    if status.st_mode & 0o022:
        raise NotPrivate("other users may write in its folder", path, f"`chmod go-w {shlex.quote(str(path))}`")
