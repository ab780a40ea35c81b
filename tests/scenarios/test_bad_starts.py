"""Starts that cannot succeed: explained with host, cause and cure, and nothing left behind."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario

#: Seconds from the death of an engine to its explanation.
_SOON = 5.0


def test_a_missing_gpu_is_found_before_anything_is_started(pair: Hosts, operator: Operator) -> None:
    before = pair.run("node1", "cat", "/etc/sandbox/gpus.json")
    state = json.loads(before)
    pair.write("node1", "/etc/sandbox/gpus.json", json.dumps({**state, "gpus": state["gpus"][:1]}))
    try:
        done = operator.run("up", pair.inventory, "--output", "plain")
    finally:
        pair.write("node1", "/etc/sandbox/gpus.json", before)
    assert done.returncode == 3, done.stderr
    assert "node1" in done.stderr
    assert "1 GPUs" in done.stderr
    pair.assert_clean(*HOSTS)


def test_an_engine_that_dies_while_loading_is_explained_within_seconds(pair: Hosts, operator: Operator) -> None:
    pair.behave(behaviour="crash")
    done = operator.run("up", pair.inventory, "--output", "json")
    assert done.returncode == 6, done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.splitlines()
    (failed,) = operator.events(done, "phase_failed")
    told = failed["error"]
    assert (told["host"], "out of memory" in told["cause"], bool(told["cure"])) == ("node0", True, True), told
    assert datetime.fromisoformat(failed["time"]).timestamp() - last_word(pair) < _SOON, told
    pair.assert_idle(*HOSTS)


def last_word(hosts: Hosts) -> float:
    """When the engine wrote its last line, in seconds since the epoch: hosts have this machine's clock."""
    (log,) = hosts.run("node0", "find", "/var/tmp", "-path", "*/vllm/log").split()
    return float(hosts.run("node0", "stat", "--format=%.3Y", log))


def test_a_model_that_one_host_lacks_is_found_before_anything_is_started(
    pair: Hosts, operator: Operator, tmp_path: Path
) -> None:
    inventory = pair.edited(tmp_path / "hub.yaml", lambda one: one["model"].update(id="baidu/not-here"))
    done = operator.run("up", inventory, "--output", "plain")
    assert done.returncode == 3, done.stderr
    assert "hf download baidu/not-here" in done.stderr
    pair.assert_clean(*HOSTS)
