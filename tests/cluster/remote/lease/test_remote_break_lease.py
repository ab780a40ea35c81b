"""Breaking a lease ends the program that holds it, and never another one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.command import Command, program
from cluster.errors import CommandFailed
from cluster.lease import lease
from cluster.values import Lease
from tests.cluster.remote.cell import HOST, after
from tests.cluster.remote.local import VENV, LocalChannel

BOB = Lease("bob", "desk", "2026-11-22T10:00:00+00:00", "unlock")

#: The kernel's table with a lock of somebody on another disk, on a file of the same number.
OTHER_DISK = """
import builtins, io
def open(path, *more, **words):
    if path != "/proc/locks":
        return builtins.open(path, *more, **words)
    with builtins.open(path) as table:
        return io.StringIO("1: FLOCK  ADVISORY  WRITE {pid} 00:2f:{inode} 0 EOF\\n" + table.read())
"""
#: As for a process of another user.
MAY_NOT_KILL = """
import os
def refused(*_):
    raise PermissionError(1, "Operation not permitted")
os.kill = refused
"""
MAY_NOT_ASK = """
import os
listed = os.listdir
def refused(path):
    if path.startswith("/proc/{pid}/"):
        raise PermissionError(13, "Permission denied", path)
    return listed(path)
os.listdir = refused
"""
#: The holder's row is hidden from another container.
HIDDEN = """
import builtins, io
def open(path, *more, **words):
    return io.StringIO("") if path == "/proc/locks" else builtins.open(path, *more, **words)
"""


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "o-0" / "0123abcd")


@pytest.fixture
def holder(state: str) -> Iterator[int]:
    """Ann's program."""
    data = {"folder": state, "lease": {**vars(BOB), "owner": "ann"}, "silence": 60.0}
    channel = LocalChannel(program("lease.lease", data, title="hold", venv=VENV))
    assert "taken" in json.loads(channel.read_line(20) or "null")
    yield json.loads(Path(state, "lease").read_text())["pid"]
    channel.close()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "602"]) as one:
        yield one
        one.kill()


def breaking(state: str, before: str) -> Command:
    """The program on a host that is as the lines `before` it say."""
    return after(before, lease.breaking(BOB, state, VENV).command)


def refusal(state: str, before: str) -> str:
    with pytest.raises(CommandFailed) as caught:
        HOST.run(breaking(state, before))
    return caught.value.output


def lives(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}/exe")


def test_a_lock_on_another_disk_is_a_strangers(state: str, holder: int, stranger: subprocess.Popen[bytes]) -> None:
    table = OTHER_DISK.format(pid=stranger.pid, inode=Path(state, "lease").stat().st_ino)
    said = json.loads(HOST.run(breaking(state, table)).stdout)
    assert said["held"]["owner"] == "ann"
    assert stranger.poll() is None
    assert not lives(holder)


def test_who_may_not_end_it_hears_who_can(state: str, holder: int) -> None:
    said = refusal(state, MAY_NOT_KILL)
    assert (
        said == f"pid {holder} of user root holds the lease: ask them, or run `kill {holder}` as root on this host"
    )
    assert lives(holder)


def test_one_that_may_not_be_asked_is_named_and_left_alone(state: str, holder: int) -> None:
    assert refusal(state, MAY_NOT_ASK.format(pid=holder)).startswith(f"pid {holder} of user root holds the lease")
    assert lives(holder)


def test_a_holder_that_cannot_be_seen_is_no_free_lease(state: str, holder: int) -> None:
    assert "is not visible here" in refusal(state, HIDDEN)
    assert lives(holder)


def test_a_refusal_leaves_no_word_of_a_broken_lease(state: str, holder: int) -> None:
    """Its owner would be told on the next SIGTERM, whoever sends it."""
    refusal(state, MAY_NOT_KILL)
    assert not Path(state, "lease.broken").exists()
