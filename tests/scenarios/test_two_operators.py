"""Two at one cluster, a lost terminal, an engine that takes its time on one rank, and a `down` that is ended."""

from __future__ import annotations

import getpass
import json
import signal
import socket
from pathlib import Path

import pytest

from tests.scenarios.conftest import HOSTS, ONE_GPU_EACH
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.scenarios.running import SOON, running

pytestmark = pytest.mark.scenario

#: Seconds that anybody here waits for an engine that stands still.
_PATIENCE = 8


@ONE_GPU_EACH
def test_one_at_a_time_and_a_lost_terminal_ends_the_watching_alone(
    pair: Hosts, operator: Operator, tmp_path: Path
) -> None:
    """A rank on node1 reads for longer than anybody here has patience with an engine that stands still."""
    pair.behave(slow_rank={"rank": 1, "seconds": 600})
    impatient = {"ORCHESTRATOR_PATIENCE_LOAD": f"{_PATIENCE}"}
    somebody = Operator(tmp_path / "somebody")
    with running(operator, "up", pair.inventory, **impatient) as run:
        run.until_phase("Wait until the engine is ready")
        engine = pair.pids("node0", "vllm serve")
        for verb in ("up", "down"):
            refused = somebody.run(verb, pair.inventory, "--output", "json")
            assert refused.returncode == 8, refused.stderr
            lease = json.loads(refused.stdout)["lease"]
            assert (lease["owner"], lease["machine"]) == (getpass.getuser(), socket.gethostname())
        assert pair.pids("node0", "vllm serve") == engine
        run.send(signal.SIGHUP)
    assert run.process.returncode == -signal.SIGHUP
    assert pair.pids("node0", "vllm serve") == engine
    wait_for("the lease to be free", lambda: not pair.pids("node0", "lease"))

    with running(somebody, "up", pair.inventory, **impatient) as run:
        run.until_phase("Wait until the engine is ready")
        run.outlasts(_PATIENCE)
        pair.behave()
        assert run.finish() == 0, run.said[-3:]
    assert [one["title"] for one in run.said if one["event"] == "phase_skipped"][-1] == "Launch vLLM"
    assert pair.pids("node0", "vllm serve") == engine
    assert [pair.gpus_in_use(host) for host in HOSTS] == [1, 1]
    _a_down_that_was_interrupted_goes_on_where_it_ended(pair, somebody)


def _a_down_that_was_interrupted_goes_on_where_it_ended(pair: Hosts, somebody: Operator) -> None:
    with running(somebody, "down", pair.inventory) as run:
        run.until_phase("Stop vLLM")
        assert run.send(signal.SIGINT) < SOON
    assert run.process.returncode == 130
    somebody.down(pair.inventory)
    pair.assert_clean(*HOSTS)
