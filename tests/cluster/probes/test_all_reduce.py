"""The all-reduce, for real under gloo between processes of this machine, and what is made of what hosts say."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cluster.command import Command, Result
from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.probes import all_reduce
from cluster.probes.all_reduce import measure
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from cluster.values import NcclTransport
from tests.cluster.builders import inventory, seen
from tests.cluster.remote.local import VENV
from tests.timing import LIMIT

LOOPBACK = {"lo": ("127.0.0.1",)}


def on_loopback(hosts: int, gpus: int) -> Inventory:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    each = {"cluster_address": "127.0.0.1"}
    ray = {"max_worker_port": port, "min_worker_port": 1024}
    return inventory(hosts, gpus, each=each, ray=ray, runtime={"venv": VENV})


def here(one: Inventory) -> Fleet:
    return Fleet([Host(spec.name, LocalTransport()) for spec in one.hosts])


def test_ranks_of_two_hosts_meet_and_reduce() -> None:
    one = on_loopback(2, 2)
    result = measure(one, here(one), seen(one, addresses=LOOPBACK), patience=60)
    assert (result.ranks, result.backend, result.transport, result.problems) == (
        4,
        "gloo",
        NcclTransport("gloo"),
        (),
    )
    assert result.gb_per_second is not None
    assert result.gb_per_second > 0


def test_a_rank_that_never_comes_is_named_by_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.probes.all_reduce._GRACE", LIMIT)
    one = on_loopback(2, 1)
    head = Fleet([Host("gpu-a", LocalTransport()), Host("gpu-b", Silent())])
    result = measure(one, head, seen(one, addresses=LOOPBACK), patience=8)
    assert result.gb_per_second is None
    assert [host for host, _ in result.problems] == ["gpu-b", "gpu-a"]
    assert "rank 0" in dict(result.problems)["gpu-a"]


class Silent:
    """A host whose link is cut."""

    def execute(self, command: Command, on_text: object = None) -> Result:
        raise Unreachable("gpu-b", "connect", cause="no route")

    def open(self, command: Command) -> Says:
        raise Unreachable("gpu-b", "connect", cause="no route")

    def close(self) -> None:
        """Nothing is held open."""


class Says:
    """A host that says one thing."""

    def __init__(self, *lines: str) -> None:
        self._lines: Iterator[str] = iter(lines)

    def open(self, command: Command) -> Says:
        return self

    def execute(self, command: Command, on_text: object = None) -> Result:
        raise AssertionError(command)

    def send(self, data: bytes) -> None:
        """Heard."""

    def read_line(self, timeout: float) -> str | None:
        try:
            return next(self._lines)
        except StopIteration:
            raise EOFError from None

    def result(self) -> Result:
        return Result(0, "", "")

    def close(self) -> None:
        """Nothing is held open."""


def answering(*lines: str) -> tuple[Inventory, Fleet]:
    one = inventory(len(lines), 8)
    return one, Fleet([Host(spec.name, Says(line)) for spec, line in zip(one.hosts, lines, strict=True)])


def good(first: int, *network: str) -> str:
    ranks = [
        {"rank": first + local, "backend": "nccl", "bytes": 268435456, "seconds": 0.005} for local in range(8)
    ]
    return json.dumps({"ranks": ranks, "network": network})


def test_bus_bandwidth_is_that_of_nccl_tests() -> None:
    """All-reduce of 256 MiB over 16 ranks in 5 ms: 53.7 GB/s of algorithm, times 2 * 15 / 16."""
    line = "gpu-a:1:1 [0] NCCL INFO Channel 00/0 : 7[7] -> 8[0] [send] via NET/IB/0/GDRDMA"
    one, fleet = answering(good(0, line), good(8))
    result = measure(one, fleet, seen(one))
    assert result.gb_per_second == pytest.approx(100.66, rel=1e-3)
    assert result.transport.kind == "NET/IB/GDRDMA"


def test_one_reason_of_many_ranks_is_told_once() -> None:
    failed = json.dumps({"ranks": [{"rank": 8, "problem": "no"}, {"rank": 9, "problem": "no"}], "network": []})
    one, fleet = answering(good(0), failed)
    result = measure(one, fleet, seen(one))
    assert result.problems == (("gpu-b", "rank 8, 9: no"),)


class Waits(Says):
    """A host whose ranks wait for others."""

    def read_line(self, timeout: float) -> str | None:
        return None


def test_nobody_waits_for_a_rank_that_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is an hour, and nothing is reported of the host that only waited."""
    monkeypatch.setattr(all_reduce, "_GRACE", 0.05)
    failed = json.dumps({"ranks": [{"rank": 0, "problem": "address already in use"}], "network": []})
    one = inventory(2, 8)
    fleet = Fleet([Host("gpu-a", Says(failed)), Host("gpu-b", Waits())])
    result = measure(one, fleet, seen(one), patience=3600)
    assert result.problems == (("gpu-a", "rank 0: address already in use"),)


@pytest.mark.parametrize("line", ["", "{}", "greeting", '{"ranks": [], "network": 3}', '{"ranks": [{}]}'])
def test_an_odd_answer_is_a_problem_of_that_host(line: str) -> None:
    one, fleet = answering(good(0), line)
    result = measure(one, fleet, seen(one))
    assert [host for host, _ in result.problems] == ["gpu-b"]
    assert replace(result, problems=()).gb_per_second is None
