"""What /proc says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.remote.common.processes import (
    Process,
    below,
    command_line,
    links,
    process,
    processes,
)
from tests.cluster.remote.cell import PARTS


def table(*parents: tuple[int, int]) -> dict[int, Process]:
    return {pid: Process(pid, "S", parent, pid, 0) for pid, parent in parents}


def test_we_see_ourselves() -> None:
    one = process(os.getpid())
    assert one is not None
    assert (one.pid, one.parent, one.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert processes()[os.getpid()].ticks == one.ticks
    assert "pytest" in command_line(os.getpid())


def test_nobody_is_nobody() -> None:
    assert process(1 << 30) is None
    assert command_line(1 << 30) == ""


def test_a_name_may_hold_anything(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as child:
        one = process(child.pid)
        child.kill()
    assert one is not None
    assert (one.parent, one.session) == (os.getpid(), os.getsid(0))


def test_the_dead_are_not_among_the_living() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert child.pid not in processes()


def test_a_tree_is_its_roots_and_all_below() -> None:
    found = table((1, 0), (2, 1), (3, 2), (4, 1), (5, 9))
    assert below(found, {2}) == {2, 3}
    assert below(found, {1, 9}) == {1, 2, 3, 4}
    assert below(found, set()) == set()


def test_a_circle_of_parents_ends() -> None:
    assert below(table((1, 2), (2, 1)), {1}) == {1, 2}


def test_who_writes_below_a_folder(tmp_path: Path) -> None:
    inside, beside = tmp_path / "unit", tmp_path / "unit-2"
    inside.mkdir()
    beside.mkdir()
    with open(inside / "log", "w") as log, open(beside / "log", "w") as other:
        one = subprocess.Popen(["sleep", "60"], stdout=log)
        two = subprocess.Popen(["sleep", "60"], stdout=other)
    with one, two:
        try:
            assert list(PARTS.writers(PARTS.unit_folder(str(inside)))) == [one.pid]
        finally:
            one.kill()
            two.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_who_worked_in_a_folder_that_others_moved_here_and_removed_is_no_writer(tmp_path: Path) -> None:
    folder = tmp_path / "o-0" / "0123abcd" / "vllm"
    folder.mkdir(parents=True)
    os.chown(folder, 65534, 65534)
    with open(folder / "log", "w") as log, subprocess.Popen(["sleep", "60"], stdout=log, cwd=folder) as child:
        try:
            shutil.rmtree(tmp_path / "o-0")
            assert list(PARTS.writers(PARTS.unit_folder(str(folder)))) == []
        finally:
            child.kill()


def test_descriptors_and_whether_they_write(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open(path, "w"), open(path):
        assert {(str(path), True), (str(path), False)} <= set(links("/proc/self/fd"))
    assert list(links("/proc/none")) == []
