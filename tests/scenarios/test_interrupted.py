"""Ctrl-C in the phases up to the engine: nothing is left of what the run started, soon. Twice: it is left."""

from __future__ import annotations

import json

import pytest

from tests.scenarios.conftest import HOSTS, ONE_GPU_EACH
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.scenarios.running import interrupt, running

pytestmark = pytest.mark.scenario

_TITLES = (
    "Check the hosts",
    "Take the lease",
    "Start Ray on the head",
    "Start Ray on the workers",
    "Prove the GPUs through Ray",
    "Wait until the engine is ready",
)


@ONE_GPU_EACH
def test_nothing_is_left_of_what_a_run_started(pair: Hosts, operator: Operator) -> None:
    pair.behave(behaviour="hang")
    for title in _TITLES:
        interrupt(operator, pair, title)
        # A look that was under way ends by itself, once nobody listens.
        wait_for("looks to end", lambda: not any(map(pair.processes, HOSTS)))
        pair.assert_idle(*HOSTS)


@ONE_GPU_EACH
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
