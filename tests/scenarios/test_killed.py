"""`kill -9` of the program in every phase, and Ctrl-C while it stops what is outdated: the next run goes on from
what it finds, and `down` leaves nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plans import UpOptions, down, up
from tests.scenarios.conftest import HOSTS, ONE_GPU_EACH
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.running import SOON, running

pytestmark = pytest.mark.scenario

_CLEAR = "Stop what is outdated"
#: Nothing is outdated on the way up, and no host has left the inventory.
_SKIPPED = ("Clean removed hosts", _CLEAR)
_UP, _DOWN = ([phase.title for phase in plan if phase.title not in _SKIPPED] for plan in (up(UpOptions()), down()))


def kill_in_each(operator: Operator, hosts: Hosts, verb: str, titles: list[str]) -> None:
    for title in titles:
        with running(operator, verb, hosts.inventory) as run:
            run.until_phase(title)
            run.send(signal.SIGKILL)


def raylets(hosts: Hosts) -> dict[str, list[int]]:
    return {host: hosts.pids(host, "raylet/raylet") for host in HOSTS}


@ONE_GPU_EACH
def test_the_next_run_goes_on_from_what_it_finds(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    kill_in_each(operator, pair, "up", _UP)
    with running(operator, "up", pair.inventory) as run:
        assert run.finish() == 0
    assert any("took over the lease of" in line for line in run.lines())
    assert [len(pids) for pids in raylets(pair).values()] == [1, 1]
    assert [pair.gpus_in_use(host) for host in HOSTS] == [1, 1]
    ended_while_it_stops_what_is_outdated(pair, operator, tmp_path)
    kill_in_each(operator, pair, "down", _DOWN)
    operator.down(pair.inventory)
    pair.assert_clean(*HOSTS)


def seeded(seed: int) -> Callable[[dict[str, Any]], None]:
    return lambda one: one["serve"]["arguments"].extend(["--seed", str(seed)])


def ended_while_it_stops_what_is_outdated(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    """Changed arguments mean another vLLM on the same Ray; whoever ends that half way finds the way on."""
    before = raylets(pair)
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        changed = pair.edited(tmp_path / f"{number}.yaml", seeded(int(number)))
        with running(operator, "up", changed) as run:
            run.until_phase(_CLEAR)
            assert run.send(number) < SOON
        assert run.process.returncode == code
        operator.up(changed)
        assert raylets(pair) == before
        assert [pair.gpus_in_use(host) for host in HOSTS] == [1, 1]
