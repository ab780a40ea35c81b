"""Other ways to the same proof: one host without Ray, a port, a jump host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


@pytest.fixture
def single(operator: Operator) -> Iterator[Hosts]:
    hosts = Hosts.up(f"single{os.getpid()}", 1, 2, "scripted")
    yield hosts.without_trial()
    hosts.down()


def test_one_host_with_all_gpus_needs_no_ray(single: Hosts, operator: Operator) -> None:
    announced = operator.up(single.inventory)
    assert announced["gpus"] == 2
    assert single.pids("node0", "raylet") == []
    assert single.gpus_in_use("node0") == 2
    operator.down()
    single.assert_clean("node0")


def test_a_port_and_a_jump_host(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        one["hosts"][0]["port"] = 2222
        one["hosts"][1]["jump"] = "node0"

    inventory = pair.edited(tmp_path / "jump.yaml", change)
    done = operator.run("status", inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    came_from = pair.run("node1", "tail", "-n", "20", "/var/log/sshd.log")
    assert f"from {pair.address('node0')} port" in came_from


def test_bad_inventories_touch_no_host(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    logs = {host: pair.run(host, "cat", "/var/log/sshd.log") for host in HOSTS}
    twice = pair.edited(tmp_path / "twice.yaml", lambda one: one["hosts"][1].update(name="node0"))
    done = operator.run("up", twice)
    assert done.returncode == 2
    assert "hosts[1].name" in done.stderr
    assert "Traceback" not in done.stderr
    assert {host: pair.run(host, "cat", "/var/log/sshd.log") for host in HOSTS} == logs
