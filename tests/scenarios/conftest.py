"""Sandbox hosts are made once for all scenarios of a shape; every scenario leaves them as it found them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

HOSTS = ("node0", "node1")

#: For scenarios with many starts that are about processes and not about how many GPUs they hold.
ONE_GPU_EACH = pytest.mark.parametrize("pair", ["pair_of_small_hosts"], indirect=True, ids=["one GPU each"])


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "state")


@pytest.fixture(scope="session")
def pair_of_hosts() -> Iterator[Hosts]:
    """Two hosts of two GPUs with the scripted engine, under a name that no other run of the tests has."""
    yield from _up_for_the_session("pair", gpus=2)


@pytest.fixture(scope="session")
def pair_of_small_hosts() -> Iterator[Hosts]:
    """Two hosts of one GPU: a start has half the ranks, and half the workers of Ray that prove the GPUs."""
    yield from _up_for_the_session("small", gpus=1)


def _up_for_the_session(name: str, gpus: int) -> Iterator[Hosts]:
    hosts = Hosts.up(f"{name}{os.getpid()}", 2, gpus, "scripted")
    yield hosts
    hosts.down()


@pytest.fixture
def pair(request: pytest.FixtureRequest, operator: Operator) -> Iterator[Hosts]:
    """The two hosts, clean before and, whatever the scenario did, clean after. Their model is tried where that is
    what a scenario is about: it is most of the work of a start."""
    hosts: Hosts = request.getfixturevalue(getattr(request, "param", "pair_of_hosts"))
    yield hosts.without_trial()
    for host in HOSTS:
        hosts.run(host, "rm", "-f", "/etc/sandbox/engine.json")
    # A scenario that ended with a `down` of its own needs no other one.
    if any(hosts.processes(host) or hosts.files(host) for host in HOSTS):
        operator.down(hosts.inventory)
    hosts.assert_clean(*HOSTS)


@pytest.fixture
def untouched(pair_of_hosts: Hosts) -> Iterator[Hosts]:
    """The two hosts, for scenarios in which nothing may be started on them at all."""
    yield pair_of_hosts
    pair_of_hosts.assert_clean(*HOSTS)
