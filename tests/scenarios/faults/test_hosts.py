"""Whole hosts."""

from __future__ import annotations

import os
import signal as signals
from functools import partial

import pytest

from tests.scenarios.faults.case import Case
from tests.scenarios.hosts import wait_for
from tests.scenarios.test_rebooted import reboot

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]


def test_hosts_are_rebooted(case: Case) -> None:
    """Records without a process, of another boot."""
    case.up()
    for host in ("node1", "node0"):
        case.fault = f"{host} is rebooted while vLLM serves"
        case.inject(lambda host=host: reboot(case.hosts, host))  # type: ignore[misc]
        assert host in case.until_status().host
        case.repair()
    case.fault = "both hosts are rebooted while vLLM serves, and then `down`"
    case.inject(*(partial(reboot, case.hosts, host) for host in case.host_names))
    case.until_status()
    case.operator.down()
    case.add_outcome("`down`")


@pytest.mark.parametrize("host", ["node1", "node0"])
def test_the_plug_of_a_host_is_pulled(case: Case, host: str) -> None:
    """the plug of {host} is pulled while vLLM serves"""
    case.up()
    case.inject(lambda: os.kill(case.hosts.init(host), signals.SIGKILL))
    case.lost.add(host)
    assert host in case.until_status().host
    assert case.refused(7, "down").host == host
    case.add_outcome("the other host is clean")


def test_the_plug_of_a_worker_is_pulled_while_it_loads(case: Case) -> None:
    """the plug of a worker is pulled while vLLM loads"""
    case.hosts.behave(load_seconds=60)
    with case.during("Wait until the engine is ready") as run:
        wait_for("the ranks", lambda: case.hosts.gpus_in_use("node1"))
        case.inject(lambda: os.kill(case.hosts.init("node1"), signals.SIGKILL))
        case.lost.add("node1")
        assert case.until_warning(run, "node1").host == "node1"
