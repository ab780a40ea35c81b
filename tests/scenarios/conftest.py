"""Sandbox hosts are made once for all scenarios of a shape; every scenario leaves them as it found them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

HOSTS = ("node0", "node1")


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "state")


@pytest.fixture(scope="session")
def pair_of_hosts() -> Iterator[Hosts]:
    """Two hosts of two GPUs with the scripted engine, under a name that no other run of the tests has."""
    hosts = Hosts.up(f"pair{os.getpid()}", 2, 2, "scripted")
    yield hosts
    hosts.down()


@pytest.fixture
def pair(pair_of_hosts: Hosts, operator: Operator) -> Iterator[Hosts]:
    """The two hosts, clean before and, whatever the scenario did, clean after. Their model is tried where that is
    what a scenario is about: it is most of the work of a start."""
    yield pair_of_hosts.without_trial()
    for host in HOSTS:
        pair_of_hosts.run(host, "rm", "-f", "/etc/sandbox/engine.json")
    # A scenario that ended with a `down` of its own needs no other one.
    if any(pair_of_hosts.processes(host) or pair_of_hosts.files(host) for host in HOSTS):
        operator.down(pair_of_hosts.inventory)
    pair_of_hosts.assert_clean(*HOSTS)


@pytest.fixture
def untouched(pair_of_hosts: Hosts) -> Iterator[Hosts]:
    """The two hosts, for scenarios in which nothing may be started on them at all."""
    yield pair_of_hosts
    pair_of_hosts.assert_clean(*HOSTS)
