"""Traces that mislead."""

from __future__ import annotations

import json
import os
import signal as signals

import pytest

from tests.scenarios.faults.breakages import detached, record, signal
from tests.scenarios.faults.case import Case
from tests.scenarios.faults.other_sshd import OtherSshd
from tests.scenarios.hosts import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]


def test_a_pid_that_was_given_out_again(case: Case) -> None:
    """the pid of a dead keeper belongs to somebody else by now"""
    case.up()
    path, found = record(case.hosts, "node1", "ray")
    signal(case.hosts, "node1", "KILL", *case.hosts.processes("node1"))
    wait_for("node1 to be idle", lambda: not case.hosts.processes("node1"))
    pid = detached(case.hosts, "node1", "sleep", "infinity")
    case.inject(lambda: case.hosts.write("node1", path, json.dumps({**found, "keeper": pid})))
    assert "node1" in case.until_status("exited").host
    case.operator.down()
    assert pid in case.hosts.processes("node1")
    case.add_outcome("`down`; the other process lives")
    signal(case.hosts, "node1", "KILL", pid)


def test_a_zombie(case: Case) -> None:
    """Ray on a worker is killed, and nobody collects its dead: zombies"""
    other = OtherSshd.start(case)
    case.up(other.inventory)
    pids = [pid for pid in case.hosts.processes("node1") if pid != other.listener]
    # They have become children of the first process of the host, which collects nothing while it is stopped.
    init = case.hosts.init("node1")
    os.kill(init, signals.SIGSTOP)
    case.inject(lambda: signal(case.hosts, "node1", "KILL", *pids))
    wait_for("zombies", lambda: "Z" in case.hosts.run("node1", "ps", "-eo", "stat="))
    assert "node1" in case.until_status("Ray has exited", other.inventory).host
    assert case.repair(other.inventory) == ["Start Ray on the head", "Start Ray on the workers", "Launch vLLM"]
    os.kill(init, signals.SIGCONT)
    other.end()
