"""Runs that end early over a Ray that ran before: their vLLM is rolled back, that Ray stays."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import HOSTS, ONE_GPU_EACH
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.scenarios.running import interrupt, running

pytestmark = pytest.mark.scenario


def raylets(hosts: Hosts) -> dict[str, list[int]]:
    return {host: hosts.pids(host, "raylet/raylet") for host in HOSTS}


@ONE_GPU_EACH
def test_a_failed_run_takes_back_its_own_alone(pair: Hosts, operator: Operator) -> None:
    with running(operator, "up", pair.inventory) as run:
        # As the next phase begins, the engine may be launched before the signal is there.
        run.until_phase("Prove the GPUs through Ray")
        run.send(signal.SIGKILL)
    wait_for("a raylet on each host", lambda: [len(pids) for pids in raylets(pair).values()] == [1, 1])
    before = raylets(pair)
    for what in _ways_to_end(pair, operator):
        assert not pair.pids("node0", "vllm serve"), what
        assert raylets(pair) == before, what
        assert [pair.gpus_in_use(host) for host in HOSTS] == [0, 0], what


def _ways_to_end(hosts: Hosts, operator: Operator) -> Iterator[str]:
    hosts.behave(behaviour="tokenless")
    for title in ("Launch vLLM", "Learn the transport", "Prove it with a token"):
        interrupt(operator, hosts, title)
        yield f"Ctrl-C in {title!r}"
    _fails(operator, hosts)
    yield "healthy without tokens"
    hosts.behave(behaviour="linger")
    _fails(operator, hosts)
    yield "an engine that fails and stays alive"


def _fails(operator: Operator, hosts: Hosts) -> None:
    done = operator.run("up", hosts.inventory, "--output", "plain", ORCHESTRATOR_PATIENCE_TOKEN="3")
    assert done.returncode == 6, done.stderr
    assert done.stdout == ""
