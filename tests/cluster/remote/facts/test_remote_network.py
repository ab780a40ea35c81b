"""Addresses and listeners of this machine, out of the kernel's tables."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from cluster.command import with_parts
from tests.cluster.http_server import closed_port

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(scope="module")
def network() -> SimpleNamespace:
    """The program as it runs on a host: behind its parts, in one namespace."""
    space: dict[str, object] = {}
    exec(compile(with_parts("facts.network"), "network", "exec"), space)
    return SimpleNamespace(**space)


def test_this_machine_has_a_loopback(network: SimpleNamespace) -> None:
    found = network.addresses()
    assert "127.0.0.1" in found["lo"]
    assert set(found) <= {name for _, name in socket.if_nameindex()}


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[int]:
    host: str = request.param
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        one = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"no {host} here")
    with one:
        yield one.getsockname()[1]


def test_who_listens(network: SimpleNamespace, listening: int) -> None:
    found = network.listeners([listening, closed_port()])
    [one] = found
    age = one.pop("age")
    assert one == {"port": listening, "pid": os.getpid(), "user": ME}
    assert 0 <= age < 24 * 3600


def test_one_that_ends_while_its_owner_is_looked_for_is_gone(
    network: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]

        def end(inodes: set[str]) -> dict[str, int]:
            one.close()
            return {}

        monkeypatch.setitem(network.listeners.__globals__, "_owners", end)
        assert network.listeners([port]) == []


def test_one_whose_owner_is_ending_is_gone_in_a_moment(
    network: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends has let go of its files a while before they are closed."""
    space = network.listeners.__globals__
    tables, ending = iter([True, True, True]), space["_listening"]
    monkeypatch.setitem(space, "_owners", lambda inodes: {})
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        found = [row for row in ending() if row[1] == port]
        monkeypatch.setitem(space, "_listening", lambda: iter(found if next(tables, False) else []))
        assert network.listeners([port]) == []
    assert next(tables, None) is None


def test_one_of_another_user_has_no_pid(network: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        monkeypatch.setitem(network.listeners.__globals__, "_owners", lambda inodes: {})
        assert network.listeners([port]) == [{"port": port, "pid": 0, "user": ME, "age": None}]


def test_a_connection_is_no_listener(network: SimpleNamespace, listening: int) -> None:
    assert network.listeners([]) == []
    with socket.socket(socket.AF_INET) as one:
        one.bind(("127.0.0.1", 0))
        assert network.listeners([one.getsockname()[1]]) == []
