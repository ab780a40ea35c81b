"""The real vLLM."""

from __future__ import annotations

import json
import re

import pytest

from tests.scenarios.faults.breakages import rank_pid, signal
from tests.scenarios.faults.case import Case
from tests.scenarios.walk import tokens

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.real_vllm, pytest.mark.timeout(600)]

_PATIENCE = {"ORCHESTRATOR_PATIENCE_TOKEN": "120"}


@pytest.fixture
def engine() -> str:
    return "vllm"


def test_it_serves_and_breaks(case: Case) -> None:
    """EngineCore is stopped (SIGSTOP): no token comes, and /health is 200"""
    announced = case.operator.up(case.hosts.inventory, **_PATIENCE)
    (core,) = case.hosts.pids("node0", "VLLM::EngineCore")
    case.inject(lambda: signal(case.hosts, "node0", "STOP", core))
    report = case.until_status()
    assert "--restart" in report.cure
    endpoint = case.status()["endpoint"]
    assert (endpoint["health"], endpoint["tokens"]) == (True, False), endpoint
    signal(case.hosts, "node0", "CONT", core)
    assert tokens(announced["url"], announced["served_name"]) == 1
    case.add_outcome("SIGCONT: tokens come again")

    case.fault = "a rank on a worker is killed while it serves"
    pid = rank_pid(case.hosts, "node1")
    case.inject(lambda: signal(case.hosts, "node1", "KILL", pid))
    assert "on node1" in case.until_status("exited without an error message").cause
    case.add_outcome("`down`")


def test_an_argument_that_it_does_not_know(case: Case) -> None:
    """an argument that vLLM does not know"""
    inventory = case.edited(lambda one: one["serve"]["arguments"].append("--no-such-argument"))
    with case.during("Launch vLLM", inventory=inventory) as run:
        case.inject()
        report = case.until_failure(run, 6)
    assert "no-such-argument" in report.cause


def test_a_shard_that_is_damaged(case: Case) -> None:
    """a shard of the model on a worker is damaged, of the same size"""
    folder = "/models/ernie-4.5-vl-tiny"
    listed = case.hosts.run("node1", "ls", "-S", folder).split()
    shard = next(name for name in listed if re.search(r"\.safetensors$", name))
    case.hosts.run("node1", "dd", "if=/dev/urandom", f"of={folder}/{shard}", "bs=1k", "count=4", "conv=notrunc")
    with case.during("Launch vLLM", inventory=case.hosts.inventory) as run:
        case.inject()
        report = case.until_failure(run, 6)
    assert json.dumps(report.cause)
