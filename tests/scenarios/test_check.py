"""`check` on hosts that are well: nothing found, nothing started, and an all-reduce that really runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


def check(operator: Operator, inventory: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = operator.run("check", inventory, *words, "--output", "json")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_healthy_hosts_have_no_finding_and_can_reduce(untouched: Hosts, operator: Operator) -> None:
    found = check(operator, untouched.inventory, "--fabric", "--strict")
    assert found["findings"] == []
    assert [one["finding"]["name"] for one in found["excused"]] == ["open-endpoint"], "the sandbox has accepted it"
    assert {"reachable", "gpu-number", "venv", "fabric"} <= set(found["passed"])
    untouched.assert_idle(*HOSTS)


def test_a_rank_that_cannot_be_met_is_a_finding(untouched: Hosts, operator: Operator, tmp_path: Path) -> None:
    """Somebody has the port where all are to meet."""
    port = 19990
    hosts = untouched.without_trial()
    inventory = hosts.edited(tmp_path / "port.yaml", lambda one: one["ray"].update(max_worker_port=port))
    listen = f"import socket, signal; one = socket.create_server(('', {port})); signal.pause()"
    untouched.run(
        "node0", "sh", "-c", 'setsid -f "$@" >/dev/null 2>&1 </dev/null', "sh", sys.executable, "-c", listen
    )
    wait_for("the listener", lambda: untouched.run("node0", "ss", "-Hltn", f"sport = :{port}"))
    try:
        found = check(operator, inventory, "--fabric", "--skip", "reach", code=3)
        assert {(one["name"], one["host"]) for one in found["findings"]} >= {("fabric", "node0")}
        assert "address already in use" in found["findings"][0]["found"].lower()
    finally:
        untouched.kill("node0", *untouched.pids("node0", "signal.pause"))


def test_what_is_accepted_is_shown_and_forbids_nothing(
    untouched: Hosts, operator: Operator, tmp_path: Path
) -> None:
    def declare(one: dict[str, Any]) -> None:
        for host in one["hosts"]:
            host["min_gpu_memory_mib"] = 10_000_000
        one["serve"]["host"] = "127.0.0.1"
        one["preflight"] = {"accept": [{"check": "gpu-memory", "reason": "a trial"}]}

    inventory = untouched.without_trial().edited(tmp_path / "accepted.yaml", declare)
    found = check(operator, inventory)
    assert {(one["finding"]["name"], one["reason"]) for one in found["excused"]} == {("gpu-memory", "a trial")}
    assert found["findings"] == []
