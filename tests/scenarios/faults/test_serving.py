"""While it serves."""

from __future__ import annotations

import pytest

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.trouble import keeper, leader, rank_pid, signal

pytestmark = [pytest.mark.scenario, pytest.mark.fault]

_RAYS = ["Start Ray on the head", "Start Ray on the workers"]


@pytest.mark.parametrize("host", ["node0", "node1"])
def test_a_rank_is_killed(case: Case, host: str) -> None:
    """the rank on {host} is killed"""
    case.serve()
    pid = rank_pid(case.hosts, host)
    case.strike(lambda: signal(case.hosts, host, "KILL", pid))
    assert case.shown().host == "node0"
    assert case.mends() == ["Launch vLLM"]


def test_vllm_is_killed(case: Case) -> None:
    """vLLM is killed"""
    case.serve()
    pid = leader(case.hosts, "node0", "vllm")
    case.strike(lambda: signal(case.hosts, "node0", "KILL", pid))
    assert case.shown("vLLM has ended").host == "node0"
    assert case.mends() == ["Launch vLLM"]


def test_vllm_gives_no_tokens(case: Case) -> None:
    """vLLM gives no tokens any more while its health is 200"""
    case.serve()
    case.strike(lambda: case.hosts.behave(behaviour="wedge", tokens_before_wedge=0))
    told = case.shown()
    assert "--restart" in told.cure
    case.hosts.behave()
    assert case.mends(None, "--restart") == ["Launch vLLM"]


def test_vllm_is_stopped(case: Case) -> None:
    """vLLM is stopped (SIGSTOP): nobody answers"""
    case.serve()
    pid = leader(case.hosts, "node0", "vllm")
    case.strike(lambda: signal(case.hosts, "node0", "STOP", pid))
    case.shown()
    assert case.mends(None, "--restart") == ["Launch vLLM"]


@pytest.mark.parametrize(
    ("host", "word", "again"),
    [
        ("node1", "raylet/raylet", [_RAYS[1], "Launch vLLM"]),
        ("node0", "raylet/raylet", [*_RAYS, "Launch vLLM"]),
        ("node0", "gcs/gcs_server", [*_RAYS, "Launch vLLM"]),
    ],
    ids=["raylet-worker", "raylet-head", "gcs_server"],
)
def test_a_process_of_ray_is_killed(case: Case, host: str, word: str, again: list[str]) -> None:
    """{word} on {host} is killed"""
    case.serve()
    pids = case.hosts.pids(host, word)
    case.strike(lambda: signal(case.hosts, host, "KILL", *pids))
    assert host in case.shown("Ray has ended").host
    assert case.mends() == again


def test_a_dead_ray_on_a_worker(case: Case) -> None:
    """all of Ray on a worker is killed, its keeper as well"""
    case.serve()
    pids = case.hosts.processes("node1")
    case.strike(lambda: signal(case.hosts, "node1", "KILL", *pids))
    assert "node1" in case.shown("Ray has ended").host
    assert case.mends() == [_RAYS[1], "Launch vLLM"]


def test_a_leader_that_is_killed(case: Case) -> None:
    """`ray start` on a worker is killed, and its children live on"""
    case.serve()
    pid = leader(case.hosts, "node1", "ray")
    case.strike(lambda: signal(case.hosts, "node1", "KILL", pid))
    assert "node1" in case.shown("Ray has ended").host
    assert case.mends() == [_RAYS[1], "Launch vLLM"]
    assert len(case.hosts.pids("node1", "raylet/raylet")) == 1


def test_a_keeper_that_is_killed(case: Case) -> None:
    """the keeper of Ray on a worker is killed, and its tree lives on"""
    case.serve()
    pid = keeper(case.hosts, "node1", "ray")
    case.strike(lambda: signal(case.hosts, "node1", "KILL", pid))
    assert "node1" in case.shown("of its processes live").host
    assert case.mends() == [_RAYS[1], "Launch vLLM"]
    assert len(case.hosts.pids("node1", "raylet/raylet")) == 1


def test_all_keepers_are_killed_before_a_down(case: Case) -> None:
    """all keepers are killed, and then `down`"""
    case.serve()
    for host, unit in (("node0", "vllm"), ("node0", "ray"), ("node1", "ray")):
        signal(case.hosts, host, "KILL", keeper(case.hosts, host, unit))
    case.strike()
    case.shown("of its processes live")
    case.operator.down()
    case.then("`down`")
