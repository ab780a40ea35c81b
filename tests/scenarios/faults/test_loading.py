"""While it starts."""

from __future__ import annotations

import json
import sys

import pytest

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.trouble import detached, leader, rank_pid, signal
from tests.scenarios.hosts import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.fault]

_READY = "Wait until the engine is ready"
_LISTEN = "import socket, signal; one = socket.create_server(('', {})); signal.pause()"


@pytest.mark.parametrize(
    ("behaviour", "what"),
    [("crash", "dies"), ("linger", "fails, and its process stays alive")],
    ids=["crash", "linger"],
)
def test_an_engine_that_dies_while_loading(case: Case, behaviour: str, what: str) -> None:
    """the engine {what} while it loads (`CUDA out of memory`)"""
    case.hosts.behave(behaviour=behaviour)
    with case.during("Launch vLLM") as run:
        wait_for("the failure", lambda: failed(case), 30)
        case.strike()
        assert case.ended(run, 6).host == "node0"
    assert case.rows[-1].seconds
    assert case.rows[-1].seconds <= 5


def failed(case: Case) -> bool:
    said = "EngineCore failed to start"
    return case.hosts.run("node0", "grep", "-rlsF", "--include=log", said, "/var/tmp", check=False) != ""


def test_an_engine_that_never_gets_its_gpus(case: Case) -> None:
    """the placement group of the engine waits for ever"""
    case.hosts.behave(behaviour="placement")
    case.struck = 0.0
    assert case.refused(6).host == "node0"


def test_an_engine_that_starts_a_ray_of_its_own(case: Case) -> None:
    """the engine does not find our Ray and starts one of its own"""
    case.hosts.behave(behaviour="local_ray")
    assert case.refused(6).host == "node0"


def test_an_engine_that_stands_still(case: Case) -> None:
    """the engine stands still while it loads, beyond all patience (here 6 s)"""
    case.hosts.behave(behaviour="hang")
    with case.during(_READY, ORCHESTRATOR_PATIENCE_LOAD="6") as run:
        case.strike()
        assert case.ended(run, 6).host == "node0"


def test_an_engine_without_tokens(case: Case) -> None:
    """the engine is healthy and gives no token (patience 5 s)"""
    case.hosts.behave(behaviour="tokenless")
    with case.during("Prove it with a token") as run:
        case.strike()
        assert case.ended(run, 6).host == "node0"


def test_an_engine_that_is_killed(case: Case) -> None:
    """vLLM is killed while it loads"""
    case.hosts.behave(load_seconds=30)
    with case.during(_READY) as run:
        pid = leader(case.hosts, "node0", "vllm")
        case.strike(lambda: signal(case.hosts, "node0", "KILL", pid))
        assert case.ended(run, 6).host == "node0"


def test_a_rank_that_is_killed(case: Case) -> None:
    """a rank on a worker is killed while it loads"""
    case.hosts.behave(load_seconds=30)
    with case.during(_READY) as run:
        wait_for("the rank on node1", lambda: case.hosts.gpus_in_use("node1"))
        pid = rank_pid(case.hosts, "node1")
        case.strike(lambda: signal(case.hosts, "node1", "KILL", pid))
        assert case.hosts.cluster_address("node1") in case.ended(run, 6).cause


@pytest.mark.parametrize(
    ("host", "word"), [("node1", "raylet/raylet"), ("node0", "gcs/gcs_server")], ids=["raylet", "gcs_server"]
)
def test_a_process_of_ray_is_killed(case: Case, host: str, word: str) -> None:
    """{word} on {host} is killed while vLLM loads"""
    case.hosts.behave(load_seconds=60)
    with case.during(_READY) as run:
        wait_for("the ranks", lambda: case.hosts.gpus_in_use("node1"))
        pids = case.hosts.pids(host, word)
        case.strike(lambda: signal(case.hosts, host, "KILL", *pids))
        assert host in case.ended(run, 6).host
    case.hosts.behave()
    case.mends()


def test_the_gcs_is_killed_in_the_gate(case: Case) -> None:
    """gcs_server is killed while Ray's GPUs are proved"""
    with case.during("Prove the GPUs through Ray") as run:
        wait_for("the GCS", lambda: case.hosts.pids("node0", "gcs/gcs_server"))
        pids = case.hosts.pids("node0", "gcs/gcs_server")
        case.strike(lambda: signal(case.hosts, "node0", "KILL", *pids))
        assert case.ended(run, 6).host == "node0"
    case.mends()


@pytest.mark.parametrize(
    ("port", "whose", "host", "when"),
    [
        (8000, "vLLM's", "node0", "Take the lease"),
        (6379, "Ray's", "node0", "Take the lease"),
        (6380, "Ray's node manager's", "node1", "Take the lease"),
    ],
    ids=["serve", "gcs", "node-manager"],
)
def test_a_port_that_is_taken_in_between(case: Case, port: int, whose: str, host: str, when: str) -> None:
    """{whose} port on {host} is taken between the check and the launch"""
    with case.during(when, ORCHESTRATOR_PATIENCE_GATE="15") as run:
        case.strike(lambda: detached(case.hosts, host, sys.executable, "-c", _LISTEN.format(port)))
        told = case.ended(run, 6)
    assert host in told.host
    (pid,) = case.hosts.pids(host, "signal.pause")
    signal(case.hosts, host, "KILL", pid)


def test_a_missing_gpu(case: Case) -> None:
    """a GPU of a worker has fallen off the bus"""
    state = json.loads(case.hosts.run("node1", "cat", "/etc/sandbox/gpus.json"))
    case.hosts.write("node1", "/etc/sandbox/gpus.json", json.dumps({**state, "gpus": []}))
    assert case.refused(3).host == "node1"


def test_a_gpu_of_somebody_else(case: Case) -> None:
    """a GPU of a worker is held by somebody else"""
    pid = detached(case.hosts, "node1", "hold-gpu", "0")
    assert case.refused(3).host == "node1"
    assert pid in case.hosts.processes("node1")
    signal(case.hosts, "node1", "KILL", pid)


def test_a_shard_that_is_missing(case: Case) -> None:
    """a worker lacks a shard of the model"""
    folder = "/models/ernie-4.5-vl-tiny"
    case.hosts.run("node1", "sh", "-c", f"rm $(ls {folder}/*.safetensors | head -1)")
    assert case.refused(3).host == "node1"


def test_a_version_that_differs(case: Case) -> None:
    """a worker has another Ray than the head"""
    rename(case, "node1", "ray", "2.1.0")
    assert case.refused(3).whole


def rename(case: Case, host: str, package: str, other: str) -> None:
    """The version is read from the name of the metadata folder."""
    script = 'cd "$1" && mv "$2"-[0-9]*.dist-info "$2-$3.dist-info"'
    case.hosts.run(host, "sh", "-c", script, "sh", case.packages, package, other)
