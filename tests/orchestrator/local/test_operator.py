"""Who works here, and how that is known again."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

from orchestrator.local.operator import launcher


def test_a_state_folder_is_known_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = launcher(state)
    assert (first.owner, first.machine) == (getpass.getuser(), socket.gethostname())
    assert launcher(state) == first
    assert (state / "operator-id").stat().st_mode & 0o777 == 0o600
    assert launcher(tmp_path / "other").state != first.state


def test_what_is_no_id_is_made_anew(tmp_path: Path) -> None:
    state = tmp_path / "state"
    launcher(state)
    for torn in (b"", b"../x", b"\xff", b"A" * 32):
        (state / "operator-id").write_bytes(torn)
        assert len(launcher(state).state) == 32


def test_where_nothing_can_be_kept_there_is_none() -> None:
    assert launcher(Path("/proc/no-such-place")).state == ""
