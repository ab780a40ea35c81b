"""Ports of ranks, tried in earnest: a unit on this machine, its stand-in, and who reaches it."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator

import pytest

from cluster.command import program
from cluster.probes import open_ports as module
from cluster.probes.open_ports import open_ports
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from cluster.values import OpenPort
from tests.cluster import builders
from tests.cluster.remote.cell import Cell
from tests.cluster.remote.conftest import cell as cell
from tests.cluster.remote.local import VENV, LocalChannel
from tests.doubles import ScriptedChannel, ScriptedTransport

#: Listens where torch does, where a rank does, for its own host alone, and where clients do; says the four ports.
_RANK = """
import json, signal, socket
doors = [socket.create_server((address, 0)) for address in ("0.0.0.0", "127.0.0.2", "127.0.0.1", "0.0.0.0")]
print(json.dumps([door.getsockname()[1] for door in doors]), flush=True)
signal.pause()
"""

_REACHED = "reaches the ports of ranks, torch and Ray"


@pytest.fixture
def ports(cell: Cell) -> list[int]:
    cell.launch((sys.executable, "-c", _RANK))
    cell.says("]")
    found: list[int] = json.loads(cell.log())
    return found


@pytest.fixture
def stand_in(cell: Cell, ports: list[int]) -> Iterator[LocalChannel]:
    units = [f"{cell.state}/ray", f"{cell.state}/vllm"]
    payload = {"units": units, "but": [ports[3]], "nonce": "n0nce", "limit": 60.0}
    channel = LocalChannel(program("trials.open_ports", payload, title="look", venv=VENV))
    yield channel
    channel.close()


def test_a_host_says_what_of_ours_listens_and_stands_in_for_it(stand_in: LocalChannel, ports: list[int]) -> None:
    answer = json.loads(stand_in.read_line(20.0) or "")
    (row,) = answer["listening"]
    assert (row["port"], row["address"]) == (ports[0], "0.0.0.0")
    assert row["name"].startswith("python")
    for address in ("127.0.0.1", "127.0.0.3"):
        with socket.create_connection((address, answer["port"]), 5) as guest:
            assert guest.recv(5, socket.MSG_WAITALL) == b"n0nce"


@pytest.mark.parametrize(
    ("own", "address", "reached"),
    [
        ("0.0.0.0", "10.0.0.1", True),
        ("0.0.0.0", "fd00::1", False),
        ("::", "10.0.0.1", True),
        ("::", "fd00::1", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_what_is_reached_at_an_address(own: str, address: str, reached: bool) -> None:
    assert OpenPort(port=1, address=own, name="x").is_reached_at(address) is reached


def test_who_reaches_them_is_told_by_name(cell: Cell, ports: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hosts are this machine: the second tries the first at the address that is not the cluster's."""
    monkeypatch.setattr(module, "_leads_there", lambda address: address in ("127.0.0.1", "127.0.0.2"))
    monkeypatch.setattr("cluster.probes.open_ports.program", _under_our_python)
    two = builders.inventory(each={"cluster_address": "127.0.0.2"})
    addresses = {"lo": ("127.0.0.1", "127.0.0.2")}
    seen = builders.seen(two, addresses=addresses, state=cell.state)
    fleet = Fleet([Host(spec.name, LocalTransport()) for spec in two.hosts])
    findings = open_ports(two, fleet, {"gpu-a": seen["gpu-a"]})
    assert {(each.name, each.host, each.severity) for each in findings} == {("open-ports", "gpu-a", "warning")}
    found = [each.found for each in findings]
    assert [text.partition(": ")[0] for text in found] == [
        f"this machine {_REACHED} at 127.0.0.2",
        f"this machine {_REACHED} at 127.0.0.1, which is not the cluster's address",
        f"gpu-b {_REACHED} at 127.0.0.1, which is not the cluster's address",
    ]
    assert all(f"{ports[0]} (python" in text for text in found)


def _under_our_python(name: str, payload: dict[str, object], **more: object) -> object:
    return program(name, payload, **{**more, "venv": VENV})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer", ['{"port": "x", "listening": []}', '{"listening": [7]}', '{"listening": [{}]}', "{}"]
)
def test_a_host_that_talks_nonsense_has_no_finding(answer: str) -> None:
    one = builders.inventory(1)
    transport = ScriptedTransport(channels={"open_ports": ScriptedChannel([answer])})
    assert open_ports(one, Fleet([Host("gpu-a", transport)]), builders.seen(one)) == ()


def test_whoever_does_not_say_the_nonce_is_not_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        assert not module._answers("127.0.0.1", port, "n0nce")
    assert not module._answers("127.0.0.1", port, "n0nce")
