"""Files of this machine, whole or not there at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from orchestrator.local.atomic_write import atomic_write, private_write, write_output
from orchestrator.local.private_folder import check_private


def test_a_file_is_replaced_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for content in (b"first", b"second\r\n\xff"):
        atomic_write(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_is_private_from_its_first_byte_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()
    monkeypatch.setattr(os, "fsync", lambda file: seen.append(os.fstat(file).st_mode))
    atomic_write(tmp_path / "bundle", b"secrets", 0o600)
    assert stat.S_IMODE(seen[0]) == stat.S_IMODE((tmp_path / "bundle").stat().st_mode) == 0o600


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk may say so no earlier."""

    def full(file: int) -> None:
        assert not (tmp_path / "run.json").exists()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(tmp_path / "run.json", b"{}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFLNK])
def test_only_a_plain_file_is_replaced(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "special"
    if kind == stat.S_IFLNK:
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mknod(path, kind | 0o600)
    with pytest.raises(OSError, match="not a regular file"):
        atomic_write(path, b"content")
    assert [one.name for one in tmp_path.iterdir()] == ["special"]


def test_names_that_could_be_guessed_are_not_used(tmp_path: Path) -> None:
    """Somebody has put links in the way."""
    (tmp_path / f".page.{os.getpid()}.new").symlink_to(tmp_path / "victim")
    atomic_write(tmp_path / "page", b"content")
    assert not (tmp_path / "victim").exists()


def test_output_goes_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("before")
    (tmp_path / "link").symlink_to("target")
    write_output(tmp_path / "link", b"after")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "target").read_text()) == (True, "after")


def test_a_device_stays_one(tmp_path: Path) -> None:
    write_output(Path(os.devnull), b"content")
    assert Path(os.devnull).is_char_device()


def test_a_private_file_is_not_put_into_the_folder_of_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    private_write(folder / "file", b"1")
    assert (stat.S_IMODE(folder.stat().st_mode), stat.S_IMODE((folder / "file").stat().st_mode)) == (0o700, 0o600)
    folder.chmod(0o770)
    with pytest.raises(PermissionError, match="other users may write in its folder"):
        private_write(folder / "file", b"2")
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(OSError, match="Not a directory"):
        private_write(tmp_path / "link" / "file", b"2")
    assert (folder / "file").read_bytes() == b"1"


def test_folders_above_it_are_made_private_as_well(tmp_path: Path) -> None:
    """With the umask of users who have a group of their own."""
    before = os.umask(0o002)
    try:
        private_write(tmp_path / "state" / "demo" / "file", b"1")
        private_write(tmp_path / "state" / "file", b"1")
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to the user 65534"):
        private_write(tmp_path / "file", b"1")
    with pytest.raises(PermissionError, match="belongs to the user 65534"):
        check_private(tmp_path)


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        atomic_write(tmp_path / "taken", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "file", b"")
