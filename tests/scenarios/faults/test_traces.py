"""Traces of what ran."""

from __future__ import annotations

import json
import os
import signal as signals

import pytest

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.other_sshd import OtherSshd
from tests.scenarios.faults.trouble import detached, leader, record, signal
from tests.scenarios.hosts import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.fault]


def test_a_process_without_a_record(case: Case) -> None:
    """the record of Ray on a worker is removed while it runs"""
    case.serve()
    path, _ = record(case.hosts, "node1", "ray")
    case.strike(lambda: case.hosts.run("node1", "rm", path))
    told = case.shown("the record of ray is gone")
    assert told.host == "node1"
    case.mends()
    assert len(case.hosts.pids("node1", "raylet/raylet")) == 1


def test_every_record_is_gone_before_a_down(case: Case) -> None:
    """every record is removed while all runs, and then `down`"""
    case.serve()
    for host, unit in (("node0", "vllm"), ("node0", "ray"), ("node1", "ray")):
        case.hosts.run(host, "rm", record(case.hosts, host, unit)[0])
    case.strike()
    case.shown("is gone")
    case.operator.down()
    case.then("`down`")


def test_a_record_that_is_torn(case: Case) -> None:
    """the record of vLLM is torn while it runs"""
    case.serve()
    path, _ = record(case.hosts, "node0", "vllm")
    case.strike(lambda: case.hosts.write("node0", path, '{"argv": ['))
    case.shown("the record of vllm is gone")
    assert case.mends() == ["Launch vLLM"]


def test_a_record_without_a_process(case: Case) -> None:
    """all processes on the head are gone, as after a crash, and their records stay"""
    case.serve()
    pids = list(case.hosts.processes("node0"))
    case.strike(lambda: signal(case.hosts, "node0", "KILL", *pids))
    assert "node0" in case.shown("ended").host
    case.mends()


def test_a_pid_that_was_given_out_again(case: Case) -> None:
    """the pid of a dead keeper belongs to somebody else by now"""
    case.serve()
    path, found = record(case.hosts, "node1", "ray")
    signal(case.hosts, "node1", "KILL", *case.hosts.processes("node1"))
    wait_for("node1 to be idle", lambda: not case.hosts.processes("node1"))
    pid = detached(case.hosts, "node1", "sleep", "infinity")
    case.strike(lambda: case.hosts.write("node1", path, json.dumps({**found, "keeper": pid})))
    assert "node1" in case.shown("ended").host
    case.operator.down()
    assert pid in case.hosts.processes("node1")
    case.then("`down`; the other process lives")
    signal(case.hosts, "node1", "KILL", pid)


def test_children_that_left_the_session(case: Case) -> None:
    """vLLM has children that left its session, and is killed"""
    case.hosts.behave(daemons=2)
    case.serve()
    assert len(case.hosts.pids("node0", "engine-daemon")) == 2
    pid = leader(case.hosts, "node0", "vllm")
    case.strike(lambda: signal(case.hosts, "node0", "KILL", pid))
    assert case.shown("of its processes live").host == "node0"
    case.operator.down()
    case.then("`down`")


def test_a_zombie(case: Case) -> None:
    """Ray on a worker is killed, and nobody collects its dead: zombies"""
    other = OtherSshd.start(case)
    case.serve(other.inventory)
    pids = [pid for pid in case.hosts.processes("node1") if pid != other.listener]
    # They have become children of the first process of the host, which collects nothing while it is stopped.
    init = case.hosts.init("node1")
    os.kill(init, signals.SIGSTOP)
    case.strike(lambda: signal(case.hosts, "node1", "KILL", *pids))
    wait_for("zombies", lambda: "Z" in case.hosts.run("node1", "ps", "-eo", "stat="))
    assert "node1" in case.shown("Ray has ended", other.inventory).host
    assert case.mends(other.inventory) == ["Start Ray on the workers", "Launch vLLM"]
    os.kill(init, signals.SIGCONT)
    other.end()
