"""Ctrl-C by somebody in a hurry, in the middle of `down`, and while something outdated is being stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.running import running

pytestmark = pytest.mark.scenario

_CLEAR = "Stop what is outdated"


def test_twice_leaves_at_once_and_says_how_to_clean(pair: Hosts, operator: Operator) -> None:
    pair.behave(behaviour="hang")
    with running(operator, "up", pair.inventory) as run:
        run.until_phase("Wait until the engine is ready")
        assert run.hurry() < 5
        assert run.process.stdout
        told = json.loads(run.process.stdout.read())
    assert run.process.returncode == 130
    assert f"orchestrator down {pair.inventory}" in json.dumps(told)
    operator.down(pair.inventory)
    pair.assert_clean(*HOSTS)


def test_a_down_that_was_interrupted_goes_on_where_it_ended(pair: Hosts, operator: Operator) -> None:
    operator.up(pair.inventory)
    with running(operator, "down", pair.inventory) as run:
        run.until_phase("Stop vLLM")
        assert run.send(signal.SIGINT) < 20
    assert run.process.returncode == 130
    operator.down(pair.inventory)
    pair.assert_clean(*HOSTS)


def seeded(seed: int) -> Callable[[dict[str, Any]], None]:
    return lambda one: one["serve"]["arguments"].extend(["--seed", str(seed)])


def test_ended_while_it_stops_what_is_outdated(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    """Changed arguments mean another vLLM on the same Ray; whoever ends that half way finds the way on."""
    operator.up(pair.inventory)
    raylets = {host: pair.pids(host, "raylet/raylet") for host in HOSTS}
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        changed = pair.edited(tmp_path / f"{number}.yaml", seeded(int(number)))
        with running(operator, "up", changed) as run:
            run.until_phase(_CLEAR)
            assert run.send(number) < 20
        assert run.process.returncode == code
        operator.up(changed)
        assert {host: pair.pids(host, "raylet/raylet") for host in HOSTS} == raylets
        assert [pair.gpus_in_use(host) for host in HOSTS] == [2, 2]
    operator.down(pair.inventory)
    pair.assert_clean(*HOSTS)
