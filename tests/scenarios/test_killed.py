"""`kill -9` of the program in every phase: the next run goes on from what it finds, and `down` leaves nothing."""

from __future__ import annotations

import signal

import pytest

from orchestrator.plans import DOWN, UP
from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.running import running

pytestmark = pytest.mark.scenario

#: Nothing is outdated on the way up, and no host has left the inventory.
_SKIPPED = ("Clean former hosts", "Stop what is outdated")
_UP, _DOWN = ([phase.title for phase in plan if phase.title not in _SKIPPED] for plan in (UP, DOWN))


def kill_in_each(operator: Operator, hosts: Hosts, verb: str, titles: list[str]) -> None:
    for title in titles:
        with running(operator, verb, hosts.inventory) as run:
            run.until_phase(title)
            run.send(signal.SIGKILL)


def test_up_goes_on_after_a_kill_in_every_phase_and_so_does_down(pair: Hosts, operator: Operator) -> None:
    kill_in_each(operator, pair, "up", _UP)
    with running(operator, "up", pair.inventory) as run:
        assert run.finish() == 0
    assert any("took over the lease of" in line for line in run.lines())
    assert [len(pair.pids(host, "raylet/raylet")) for host in HOSTS] == [1, 1]
    assert [pair.gpus_in_use(host) for host in HOSTS] == [2, 2]
    kill_in_each(operator, pair, "down", _DOWN)
    operator.down(pair.inventory)
    pair.assert_clean(*HOSTS)
