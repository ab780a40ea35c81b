"""A host that does not join, and one that is lost while the cluster runs: the other is taken down nevertheless."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


@pytest.fixture
def mortal(operator: Operator) -> Iterator[Hosts]:
    """Hosts of one scenario alone, which may kill them."""
    hosts = Hosts.up(f"mortal{os.getpid()}", 2, 1, "scripted")
    yield hosts.without_trial()
    hosts.down()


def test_a_worker_that_never_joins_is_named(pair: Hosts, operator: Operator) -> None:
    """Preflight would have said it first, but for somebody who will not hear of it."""
    deaf = [word for check in ("routes", "reach") for word in ("--skip", check)]
    pair.run("node1", "ip", "link", "set", "fab0", "down")
    try:
        done = operator.run("up", pair.inventory, *deaf, "--output", "json", ORCHESTRATOR_PATIENCE_GATE="20")
    finally:
        pair.run("node1", "ip", "link", "set", "fab0", "up")
    assert done.returncode == 6, done.stderr
    assert json.loads(done.stdout)["host"] == "node1"
    pair.assert_idle(*HOSTS)


def test_a_host_lost_between_up_and_down(mortal: Hosts, operator: Operator) -> None:
    operator.up(mortal.inventory)
    os.kill(mortal.init("node1"), signal.SIGKILL)
    done = operator.run("down", "--output", "json", ORCHESTRATOR_PATIENCE_CONNECT="5")
    assert done.returncode == 7, done.stderr
    assert [(one["host"], one["provable"]) for one in json.loads(done.stdout)["leftovers"]] == [("node1", False)]
    mortal.assert_clean("node0")


def test_a_head_lost_between_up_and_down(mortal: Hosts, operator: Operator) -> None:
    """Without it there is no lease either; its worker is taken down all the same."""
    operator.up(mortal.inventory)
    os.kill(mortal.init("node0"), signal.SIGKILL)
    done = operator.run("down", "--output", "json", ORCHESTRATOR_PATIENCE_CONNECT="5")
    assert done.returncode == 7, done.stderr
    assert [(one["host"], one["provable"]) for one in json.loads(done.stdout)["leftovers"]] == [("node0", False)]
    mortal.assert_clean("node1")
