"""State directories that nothing can be written to: found before the start, and if not, said and rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario

_STATE = "/srv/state"


@contextmanager
def disk(hosts: Hosts, path: Path, options: str) -> Iterator[Path]:
    """An inventory whose state directory is a disk of its own on node1."""
    for host in HOSTS:
        hosts.run(host, "mkdir", "-p", _STATE)
    hosts.run("node1", "mount", "-t", "tmpfs", "-o", options, "tmpfs", _STATE)
    try:
        yield hosts.edited(path / "disk.yaml", lambda one: one["runtime"].update(state_directory=_STATE))
        assert hosts.run("node1", "find", _STATE, "-type", "f") == ""
    finally:
        hosts.run("node1", "umount", "-l", _STATE)
        for host in HOSTS:
            hosts.run(host, "rm", "-rf", _STATE)


@pytest.mark.parametrize(("options", "found"), [("ro", "is not writable"), ("size=64m", "64 MiB free")])
def test_a_state_directory_of_no_use(
    untouched: Hosts, operator: Operator, tmp_path: Path, options: str, found: str
) -> None:
    with disk(untouched, tmp_path, options) as inventory:
        done = operator.run("up", inventory, "--output", "plain")
    assert done.returncode == 3, done.stderr
    assert "node1" in done.stderr
    assert found in done.stderr


def test_a_disk_that_takes_no_file_is_said_and_the_other_host_cleaned(
    pair: Hosts, operator: Operator, tmp_path: Path
) -> None:
    """Its free bytes look well: only the launch can find out that there is no inode left."""
    with disk(pair, tmp_path, "size=2g,nr_inodes=3") as inventory:
        done = operator.run("up", inventory, "--output", "plain")
        assert done.returncode == 5, done.stderr
        assert "node1" in done.stderr
        assert "the disk of the state directory is full" in done.stderr
        pair.assert_idle(*HOSTS)
        operator.down(inventory)
        assert pair.run("node0", "find", _STATE, "-type", "f", "-not", "-path", "*/cache/*") == ""


@contextmanager
def frozen(hosts: Hosts) -> Iterator[None]:
    """Read-only for whatever is opened from now on, as after an error of the disk; open files go on."""
    for host in HOSTS:
        hosts.run(host, "mount", "--bind", _STATE, _STATE)
        hosts.run(host, "mount", "-o", "remount,bind,ro", _STATE)
    yield
    for host in HOSTS:
        hosts.run(host, "umount", _STATE)


def test_a_disk_that_became_read_only_keeps_nothing_alive(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    """Neither lease nor record can be written: everything is stopped all the same, and what stays is named."""
    with disk(pair, tmp_path, "size=2g") as inventory:
        operator.up(inventory)
        with frozen(pair):
            done = operator.run("down", inventory, "--output", "plain")
            assert done.returncode == 7, done.stderr
            pair.assert_idle(*HOSTS)
        assert "other operators cannot read who holds the lease: the state directory is read-only" in done.stderr
        for host in HOSTS:
            assert f"{host}: could not be removed: {_STATE}/" in done.stderr
        assert "Read-only file system" in done.stderr
        assert "Traceback" not in done.stderr
        operator.down()
