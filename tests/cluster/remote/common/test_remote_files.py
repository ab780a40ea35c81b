"""What the lease is a lock on, also where nothing can be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.remote.parts import part

files = part("common.files")
WRITING = os.O_RDWR | os.O_CREAT
_open = os.open


def refuse(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses to open files for writing, as the kernel does on such a disk."""

    def opened(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(number, os.strerror(number), path)
        return _open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)


def ours(folder: Path) -> Any:
    return files.opened(*files.split(str(folder), 2))


def locked(folder: Path) -> str:
    """The path of what is locked."""
    file = files.open_lease(ours(folder), WRITING)
    try:
        assert files.is_lease(file, ours(folder))
        return os.readlink(f"/proc/self/fd/{file}")
    finally:
        os.close(file)


def test_a_file_is_made(tmp_path: Path) -> None:
    assert locked(tmp_path) == str(tmp_path / "lease")
    assert (tmp_path / "lease").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_one_that_is_there_need_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "lease").write_text("")
    refuse(number, monkeypatch)
    assert locked(tmp_path) == str(tmp_path / "lease")


def test_without_one_on_a_read_only_disk_it_is_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(errno.EROFS, monkeypatch)
    assert locked(tmp_path) == str(tmp_path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_where_somebody_else_could_make_one_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """They would lock their file, and we the folder."""
    refuse(number, monkeypatch)
    with pytest.raises(OSError, match=os.strerror(number)):
        files.open_lease(ours(tmp_path), WRITING)


def test_what_was_removed_is_nobodys_lease(tmp_path: Path) -> None:
    file = files.open_lease(ours(tmp_path), WRITING)
    (tmp_path / "lease").unlink()
    assert not files.is_lease(file, ours(tmp_path))
    os.close(file)


def test_what_could_not_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "record.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        files.write_private(ours(tmp_path), "record.json", "{}")
    assert os.listdir(tmp_path) == ["record.json"]


def test_a_private_folder_is_not_touched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its disk may be read-only by now."""
    files.made(str(tmp_path), "a", "b")
    monkeypatch.setattr(os, "fchmod", None)
    files.made(str(tmp_path), "a", "b")
