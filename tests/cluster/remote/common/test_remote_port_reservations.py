"""A check that listens on ports, and a Ray that is about to: the one is not in the way of the other."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.command import Command, program
from cluster.launch import unit
from cluster.transport.conversation import first_answer
from tests.cluster.remote.cell import FOREVER, HOST, Cell, after, kill
from tests.cluster.remote.local import VENV, LocalChannel
from tests.cluster.remote.parts import part
from tests.timing import LIMIT, Stopwatch, eventually

PARTS = part("common.port_reservations")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def free(port: int, state: Path) -> bool:
    """For a check."""
    ours = PARTS.shared_folder(str(state)).make("o-0")
    if mine := PARTS.for_check(port, ours):
        mine.close()
    return mine is not None


def listener(state: Path, *ports: int) -> Command:
    payload = {"address": "127.0.0.1", "ports": ports, "limit": 30.0, "length": 1, "state": str(state)}
    return program("trials.port_listener", payload, title="listen for its peers", venv=VENV, timeout=60)


@contextmanager
def listening(state: Path, *ports: int) -> Iterator[list[int]]:
    """The ports that are open for as long as this lasts."""
    command = listener(state, *ports)
    channel = LocalChannel(command)
    try:
        yield first_answer("here", command, channel, {"listening"}, 10.0)["listening"]
    finally:
        channel.close()


def test_a_free_port_is_listened_on_and_free_again(tmp_path: Path, port: int) -> None:
    with listening(tmp_path, port) as found:
        assert found == [port]
        assert not free(port, tmp_path)
    eventually(lambda: free(port, tmp_path))


def test_a_check_leaves_no_file_where_nobody_hears_it(tmp_path: Path, port: int) -> None:
    command = listener(tmp_path, port)
    channel = LocalChannel(replace(command, stdin=b""))
    assert channel.process.stdout
    channel.process.stdout.close()
    channel.send(command.stdin)
    assert channel.result().status != 0
    channel.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
def test_a_folder_of_somebody_else_keeps_no_check_from_a_port(tmp_path: Path, port: int) -> None:
    """Nobody of ours can have a lock there either."""
    (tmp_path / "o-0" / "ports").mkdir(parents=True)
    os.chown(tmp_path / "o-0" / "ports", 65534, 65534)
    with listening(tmp_path, port) as found:
        assert found == [port]
    assert not list((tmp_path / "o-0" / "ports").iterdir())


def test_a_check_changes_no_mode(tmp_path: Path, port: int) -> None:
    """It says that others may write in our folder, and leaves it to the operator to see what they have written."""
    ours = tmp_path / f"o-{os.getuid()}"
    ours.mkdir()
    ours.chmod(0o777)
    with listening(tmp_path, port) as found:
        assert found == [port]
        assert ours.stat().st_mode & 0o777 == 0o777
    assert ours.exists()


def test_of_two_checks_one_has_the_port(tmp_path: Path, port: int) -> None:
    with listening(tmp_path, port), listening(tmp_path, port, 0) as found:
        assert port not in found
        assert len(found) == 1


def test_a_port_that_a_unit_will_have_is_left_alone(cell: Cell, tmp_path: Path, port: int) -> None:
    """It does not listen yet."""
    cell.launch(FOREVER, ports=(port,))
    with listening(tmp_path, port) as found:
        assert found == []
    kill(cell.pids())
    eventually(lambda: free(port, tmp_path))


def test_a_launch_waits_for_a_check_that_listens(cell: Cell, tmp_path: Path, port: int) -> None:
    began = threading.Event()

    def launch() -> None:
        began.set()
        cell.launch(FOREVER, ports=(port,))

    with listening(tmp_path, port):
        launching = threading.Thread(target=launch)
        launching.start()
        assert began.wait(LIMIT)
        launching.join(0.5)
        assert launching.is_alive()
        assert not (cell.folder() / "record.json").exists()
    launching.join(LIMIT)
    assert cell.record()["status"] is None
    assert not free(port, tmp_path)


def test_another_cluster_on_the_same_host_waits_for_nobody(cell: Cell, tmp_path: Path, port: int) -> None:
    """The range of Ray's workers is the same for both, which share it."""
    cell.launch(FOREVER, ports=(port, port))
    with Stopwatch() as watch:
        cell.launch(FOREVER, name="ray", ports=(port,))
    assert watch.seconds < PARTS.CHECKED
    assert PARTS.given_by_us(f"unit {port}")


def test_a_check_that_hangs_is_not_waited_for_for_ever(cell: Cell, tmp_path: Path, port: int) -> None:
    impatient = after("import time; time.monotonic = lambda now=time.monotonic: now() * 100", _launch(cell, port))
    with listening(tmp_path, port):
        HOST.run(impatient)
        assert cell.record()["status"] is None


def _launch(cell: Cell, port: int) -> Command:
    return unit.launch(cell.unit(FOREVER, ports=(port,)), VENV)


def test_the_ports_are_told_to_the_keeper(cell: Cell) -> None:
    *_, data = _launch(cell, 6381).stdin.splitlines()
    assert json.loads(data)["ports"] == [6381]
