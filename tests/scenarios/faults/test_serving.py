"""While it serves."""

from __future__ import annotations

import pytest

from tests.scenarios.faults.breakages import keeper, leader, rank_pid, record, signal
from tests.scenarios.faults.case import Case

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

#: What the agents of the scripted engine's Ray are: its raylet leaves with them, as with Ray's own.
_AGENT = "sleep infinity"
_HEAD, _WORKERS, _VLLM = "Start Ray on the head", "Start Ray on the workers", "Launch vLLM"
_ALL = ("node0", "vllm"), ("node0", "ray"), ("node1", "ray")


def kill(case: Case, host: str, *pids: int) -> None:
    assert pids
    case.inject(lambda: case.hosts.kill(host, *pids))


def test_vllm_breaks(case: Case) -> None:
    """Ray stays, and vLLM is launched again."""
    case.hosts.behave(daemons=2)
    case.up()
    for host in case.host_names:
        case.fault = f"the rank on {host} is killed"
        kill(case, host, rank_pid(case.hosts, host))
        assert case.until_status("exited without an error message").host == "node0"
        assert case.repair() == [_VLLM]

    case.fault = "vLLM is killed; it has children that left its session"
    assert len(case.hosts.pids("node0", "engine-daemon")) == 2
    kill(case, "node0", leader(case.hosts, "node0", "vllm"))
    assert case.until_status("vLLM was killed").host == "node0"
    assert case.repair() == [_VLLM]
    assert len(case.hosts.pids("node0", "engine-daemon")) == 2

    case.fault = "the record of vLLM is torn while it runs"
    path, _ = record(case.hosts, "node0", "vllm")
    case.inject(lambda: case.hosts.write("node0", path, '{"argv": ['))
    case.until_status("the record of vllm is missing")
    assert case.repair() == [_VLLM]


def test_vllm_is_wedged(case: Case) -> None:
    """It does not end by itself."""
    case.up()
    case.fault = "vLLM gives no tokens any more while its health is 200"
    case.inject(lambda: case.hosts.behave(behaviour="wedge", tokens_before_wedge=0))
    assert "--restart" in case.until_status().cure
    case.hosts.behave()
    assert case.repair(None, "--restart") == [_VLLM]

    case.fault = "vLLM is stopped (SIGSTOP): nobody answers"
    pid = leader(case.hosts, "node0", "vllm")
    case.inject(lambda: signal(case.hosts, "node0", "STOP", pid))
    assert "--restart" in case.until_status("it no longer answers").cure
    assert case.repair(None, "--restart") == [_VLLM]


def test_ray_breaks_on_a_worker(case: Case) -> None:
    """Ray of the head goes as well: it may hold the GPUs of the engine that is gone."""
    case.up()
    hosts = case.hosts

    def breaks(fault: str, *pids: int) -> None:
        case.fault = fault
        kill(case, "node1", *pids)
        assert "node1" in case.until_status("Ray has exited").host
        assert case.repair() == [_HEAD, _WORKERS, _VLLM]
        assert len(hosts.pids("node1", "raylet/raylet")) == 1

    breaks("the raylet of a worker is killed", *hosts.pids("node1", "raylet/raylet"))
    breaks("`ray start` on a worker is killed, and its children live on", leader(hosts, "node1", "ray"))
    breaks("all of Ray on a worker is killed, its keeper as well", *hosts.processes("node1"))

    case.fault = "the keeper of Ray on a worker is killed, and its tree lives on"
    kill(case, "node1", keeper(hosts, "node1", "ray"))
    assert "node1" in case.until_status("the keeper of ray has exited").host
    assert case.repair() == [_HEAD, _WORKERS, _VLLM]

    case.fault = "the record of Ray on a worker is removed while it runs"
    path, _ = record(hosts, "node1", "ray")
    case.inject(lambda: hosts.run("node1", "rm", path))
    assert "node1" in case.until_status("the record of ray is missing").host
    assert case.repair() == [_HEAD, _WORKERS, _VLLM]
    assert len(hosts.pids("node1", "raylet/raylet")) == 1
    assert len(hosts.pids("node0", "raylet/raylet")) == 1


def test_ray_breaks_on_the_head(case: Case) -> None:
    """Everything is launched again."""
    case.up()

    def breaks(fault: str, *pids: int) -> None:
        case.fault = fault
        kill(case, "node0", *pids)
        assert "node0" in case.until_status("Ray has exited").host
        assert case.repair() == [_HEAD, _WORKERS, _VLLM]

    breaks("the raylet of the head is killed", *case.hosts.pids("node0", "raylet/raylet"))
    breaks(
        "the agent of the head's Ray is killed, and its raylet leaves",
        *case.hosts.pids("node0", _AGENT),
    )
    breaks("gcs_server is killed", *case.hosts.pids("node0", "gcs/gcs_server"))
    breaks("all processes on the head are killed, and their records stay", *case.hosts.processes("node0"))


@pytest.mark.parametrize("what", ["keepers are killed", "records are removed"])
def test_what_a_down_finds(case: Case, what: str) -> None:
    """all {what}, and then `down`"""
    case.up()
    pids = {(host, unit): keeper(case.hosts, host, unit) for host, unit in _ALL}
    paths = {(host, unit): record(case.hosts, host, unit)[0] for host, unit in _ALL}
    case.inject()
    for host, unit in _ALL:
        if "keepers" in what:
            signal(case.hosts, host, "KILL", pids[host, unit])
        else:
            case.hosts.run(host, "rm", paths[host, unit])
    case.until_status("of its processes still run")
    case.operator.down()
    case.add_outcome("`down`")
