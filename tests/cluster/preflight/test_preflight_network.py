"""Addresses and ports."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from cluster.preflight.network import cluster_address, listening, open_endpoint, ports
from cluster.values import Listener
from tests.cluster.builders import inventory
from tests.cluster.preflight.findings import found_on_head


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ({"lo": ("127.0.0.1",), "ib0": ("192.168.0.1", "fe80::1")}, []),
        ({"lo": ("127.0.0.1",), "eth0": ("10.0.0.1",)}, ["addresses of this host: 10.0.0.1 (eth0)"]),
        ({"lo": ("127.0.0.1",)}, ["addresses of this host: none"]),
    ],
)
def test_an_interface_holds_the_cluster_address(addresses: dict[str, Any], expected: list[str]) -> None:
    assert found_on_head(cluster_address, {"addresses": addresses}) == [("blocking", text) for text in expected]


@pytest.mark.parametrize(
    ("pid", "ours", "expected"),
    [
        (7, True, []),
        (7, False, [("blocking", "port 6379 is in use by pid 7 redis-server")]),
        (0, False, [("blocking", "port 6379 is in use by a process of another user")]),
    ],
)
def test_ports_are_free_but_for_our_own(pid: int, ours: bool, expected: list[tuple[str, str]]) -> None:
    listener = Listener(port=6379, pid=pid, command="redis-server", ours=ours)
    assert found_on_head(ports, {"listeners": (listener,)}) == expected


@pytest.mark.parametrize(
    ("host", "address", "warns"),
    [
        ("0.0.0.0", "fd00::1", True),
        ("::", "fd00::1", False),
        ("fd00::1", "fd00::1", False),
        ("0.0.0.0", "10.0.0.1", False),
    ],
)
def test_an_engine_on_ipv4_alone_is_not_reached_at_ipv6(host: str, address: str, warns: bool) -> None:
    one = inventory(each={"cluster_address": address}, serve={"host": host})
    assert [severity for severity, _ in found_on_head(listening, {}, one)] == ["warning"] * warns


@pytest.mark.parametrize(
    ("host", "key", "warns"),
    [("0.0.0.0", False, True), ("::", False, True), ("10.0.0.1", False, True), ("gpu-a", False, True),
     ("127.0.0.1", False, False), ("::1", False, False), ("localhost", False, False), ("0.0.0.0", True, False)],
)  # fmt: skip
def test_an_endpoint_that_is_open_to_others_is_told(host: str, key: bool, warns: bool) -> None:
    one = inventory(serve={"host": host, "api_key": SecretStr("hush") if key else None})
    assert [severity for severity, _ in found_on_head(open_endpoint, {}, one)] == ["warning"] * warns
