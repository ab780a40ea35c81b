"""Disks and memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.faults.breakages import mount_read_only
from tests.scenarios.faults.case import Case

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

_STATE = "/srv/state"


@contextmanager
def disk(case: Case, host: str, options: str) -> Iterator[Path]:
    """An inventory whose state directory is a disk of its own on this host; it is taken down by it as well."""
    for one in case.host_names:
        case.hosts.run(one, "mkdir", "-p", _STATE)
    case.hosts.run(host, "mount", "-t", "tmpfs", "-o", options, "tmpfs", _STATE)
    inventory = case.edited(lambda one: one["runtime"].update(state_directory=_STATE))
    yield inventory
    case.operator.down(inventory)
    for one in case.host_names:
        assert case.hosts.run(one, "find", _STATE, "-type", "f", "-not", "-path", "*/cache/*") == ""


@pytest.mark.parametrize(
    ("what", "options"), [("read-only", "ro"), ("too small", "size=64m")], ids=["read-only", "small"]
)
def test_a_state_directory_of_no_use(case: Case, what: str, options: str) -> None:
    """the disk of the state directory of a worker is {what} before `up`"""
    with disk(case, "node1", options) as inventory:
        assert case.refused(3, inventory=inventory).host == "node1"


def test_a_disk_that_takes_no_file(case: Case) -> None:
    """the disk of the state directory of a worker takes no file: no inode is left at the launch"""
    with disk(case, "node1", "size=2g,nr_inodes=3") as inventory:
        assert case.refused(5, inventory=inventory).host == "node1"


def test_a_disk_that_fills_up_while_it_loads(case: Case) -> None:
    """the disk of the state directory of the head fills up while vLLM loads"""
    case.hosts.behave(load_seconds=10)
    with disk(case, "node0", "size=1100m") as inventory:
        with case.during("Wait until the engine is ready", inventory=inventory) as run:
            fill = ("dd", "if=/dev/zero", f"of={_STATE}/fill", "bs=1M")
            case.hosts.run("node0", *fill, check=False)
            code = run.finish()
            assert code == 0, run.said[-3:]
            case.add_quiet_row("announced")
        case.operator.down(inventory)
        case.add_outcome("`down` on the full disk")
        case.hosts.run("node0", "rm", f"{_STATE}/fill")


def test_a_disk_that_becomes_read_only(case: Case) -> None:
    """the disk of the state directory of a worker becomes read-only while vLLM serves"""
    with disk(case, "node1", "size=2g") as inventory:
        case.up(inventory)
        case.inject(
            lambda: case.hosts.run("node1", "mount", "--bind", _STATE, _STATE),
            lambda: case.hosts.run("node1", "mount", "-o", "remount,bind,ro", _STATE),
        )
        report = case.refused(7, "down", inventory)
        assert "could not be removed" in report.cause
        assert case.hosts.processes("node1") == {}
        case.hosts.run("node1", "umount", _STATE)
        case.add_outcome("no process was left; `down` again")


def test_disks_that_are_not_ours(case: Case) -> None:
    """/tmp is read-only on one host and full on the other, and the home of the user is read-only on both"""
    case.hosts.run("node0", "mount", "-o", "remount,ro", "/tmp")
    case.hosts.run("node1", "mount", "-o", "remount,size=64k", "/tmp")
    case.hosts.run("node1", "dd", "if=/dev/zero", "of=/tmp/fill", "bs=1k", check=False)
    for host in case.host_names:
        mount_read_only(case.hosts, host, "/root")
    case.up()
    for fault in (
        "/tmp is read-only on the head",
        "/tmp is full on a worker",
        "the home of the remote user is on a read-only disk on both hosts",
    ):
        case.fault = fault
        case.add_quiet_row("announced")


def test_shared_memory_that_is_full(case: Case) -> None:
    """/dev/shm of a worker is full before `up`"""
    case.hosts.run("node1", "mount", "-o", "remount,size=1300m", "/dev/shm")
    case.hosts.run("node1", "dd", "if=/dev/zero", "of=/dev/shm/fill", "bs=1M", "count=1200")
    assert case.refused(3).host == "node1"
