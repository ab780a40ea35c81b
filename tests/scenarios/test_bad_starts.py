"""Starts that cannot succeed: explained with host, cause and cure, and nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


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


def test_a_model_that_one_host_lacks_is_found_before_anything_is_started(
    pair: Hosts, operator: Operator, tmp_path: Path
) -> None:
    inventory = pair.edited(tmp_path / "hub.yaml", lambda one: one["model"].update(id="baidu/not-here"))
    done = operator.run("up", inventory, "--output", "plain")
    assert done.returncode == 3, done.stderr
    assert "hf download baidu/not-here" in done.stderr
    pair.assert_clean(*HOSTS)
