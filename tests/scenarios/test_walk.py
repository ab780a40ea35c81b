"""By chance alone: after each `up` an endpoint that generates or an explained error, after each `down` nothing."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.exclusive_lock import ExclusiveLock
from tests.scenarios.faults.table import WALK, Machine, replace_walk
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.walk import Walk

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(0)]

#: For hosts that are cut off, and that share a busy machine: an endpoint that is slow is well.
_PATIENCE = {"ORCHESTRATOR_PATIENCE_CONNECT": "6", "ORCHESTRATOR_PATIENCE_TOKEN": "60"}

_SECTION = """\
{title}

{rounds} rounds by chance alone (`make walk`, seed {seed}) on {machine.date} with Ray {machine.ray}, Python
{machine.python} and Linux {machine.kernel} on {machine.cores} cores, in {minutes:.0f} minutes: `up`, `up
--restart`, `up --recreate`, `down`, any process of ours killed, a host cut off or back, the program itself
killed on its way. After each `up` the endpoint generated, or what kept it from that was explained with the host
that was cut off; after each `down` nothing was left, but on a host that was cut off, and that was named.

| what became of it | times |
|---|---|
{counts}
"""


def new_hosts() -> Hosts:
    return Hosts.up(f"walk{os.getpid()}", 2, 1, "scripted").without_trial()


@pytest.fixture
def lock(request: pytest.FixtureRequest) -> ExclusiveLock:
    return ExclusiveLock(request.config.getoption("--turns"))


@pytest.fixture
def walk(request: pytest.FixtureRequest, lock: ExclusiveLock, tmp_path: Path) -> Iterator[Walk]:
    lock.renew()
    chance = random.Random(request.config.getoption("--seed"))
    fresh = Walk(new_hosts(), Operator(tmp_path / "state", _PATIENCE), chance)
    yield fresh
    fresh.hosts.down()


def test_a_random_walk(walk: Walk, lock: ExclusiveLock, request: pytest.FixtureRequest) -> None:
    rounds = request.config.getoption("--rounds")
    for number in range(rounds):
        if lock.expired:
            walk.end()
            walk.hosts.down()
            lock.renew()
            walk.hosts = new_hosts()
        walk.step()
        print(number, walk.notes[-1], flush=True)
    walk.end()
    if where := request.config.getoption("--page"):
        where.write_text(replace_walk(where, section(walk, rounds, request.config.getoption("--seed"))))


def section(walk: Walk, rounds: int, seed: int) -> str:
    counts = "\n".join(f"| {what} | {times} |" for what, times in sorted(walk.counts.items()))
    about = {"rounds": rounds, "seed": seed, "machine": Machine.here(), "minutes": walk.seconds / 60}
    return _SECTION.format(title=WALK, counts=counts, **about)
