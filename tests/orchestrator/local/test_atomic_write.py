"""Files of this machine, whole or not there at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from orchestrator.local.atomic_write import atomic_write


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


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        atomic_write(tmp_path / "taken", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "file", b"")
