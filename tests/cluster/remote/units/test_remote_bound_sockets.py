"""Files of sockets go with the unit that bound them, and nothing else does."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cluster.remote.cell import Cell
from tests.cluster.remote.parts import part

PARTS = part("units.bound_sockets")

#: Binds a socket as vLLM's queues do, and another one that it closes; SIGTERM is not heard.
BINDING = """
import signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
bound, closed = (socket.socket(socket.AF_UNIX) for _ in range(2))
bound.bind(sys.argv[1])
bound.listen()
closed.bind(sys.argv[1] + "-closed")
closed.close()
print("bound", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outside the unit's own folder."""
    return tmp_path_factory.mktemp("s") / "queue"


def bound(cell: Cell, path: Path) -> None:
    cell.launch((sys.executable, "-c", BINDING, str(path)))
    cell.says("bound")


def test_the_file_of_a_killed_process_goes(cell: Cell, path: Path) -> None:
    bound(cell, path)
    assert path.is_socket()
    assert cell.stop(patience=0.1) == []
    assert not path.exists()
    assert path.with_name("queue-closed").is_socket(), "nobody of the unit held it any more"


def test_what_has_its_name_by_then_stays(cell: Cell, path: Path) -> None:
    bound(cell, path)
    path.unlink()
    path.write_text("of somebody")
    assert cell.stop(patience=0.1) == []
    assert path.read_text() == "of somebody"


def test_one_that_somebody_else_has_bound_anew_stays(cell: Cell, path: Path) -> None:
    bound(cell, path)
    path.unlink()
    with closing(socket.socket(socket.AF_UNIX)) as theirs:
        theirs.bind(str(path))
        assert cell.stop(patience=0.1) == []
        assert path.is_socket()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_that_of_another_user_stays(cell: Cell, path: Path) -> None:
    bound(cell, path)
    os.chown(path, 65534, 65534)
    assert cell.stop(patience=0.1) == []
    assert path.is_socket()


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_a_socket_whose_name_looks_like_a_line_of_the_table_names_no_file(
    path: Path, family: socket.AddressFamily
) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as theirs:
        theirs.bind(str(path))
    with closing(socket.socket(family)) as ours, closing(socket.socket(socket.AF_UNIX)) as forged:
        inode = os.fstat(ours.fileno()).st_ino
        forged.bind(f"\0\n0: 00000002 00000000 00010000 0001 01 {inode} {path}")
        assert list(PARTS.bound_by({os.getpid()})) == []
