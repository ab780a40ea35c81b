"""While it starts."""

from __future__ import annotations

import json
import signal as signals
import sys
from pathlib import Path

import pytest

from tests.scenarios.faults.breakages import detached, leader, rank_pid, short_of_memory, signal
from tests.scenarios.faults.case import Case
from tests.scenarios.hosts import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

_READY = "Wait until the engine is ready"
_LISTEN = "import socket, signal; one = socket.create_server(('', {})); signal.pause()"


def ray_alone(case: Case) -> None:
    """Ray runs and vLLM does not: a run that was killed in between."""
    with case.during("Launch vLLM") as run:
        run.send(signals.SIGKILL)
    case.operator.run("exec", case.hosts.inventory, "--", "true")


def failed(case: Case) -> bool:
    said = "EngineCore failed to start"
    return case.hosts.run("node0", "grep", "-rlsF", "--include=log", said, "/var/tmp", check=False) != ""


def test_the_engine_fails(case: Case) -> None:
    """vLLM is rolled back each time, and Ray stays."""
    ray_alone(case)
    raylets = [case.hosts.pids(host, "raylet/raylet") for host in case.host_names]
    for behaviour, what in (("crash", "dies"), ("linger", "fails, and its process stays alive")):
        case.fault = f"the engine {what} while it loads (`CUDA out of memory`)"
        case.hosts.behave(behaviour=behaviour)
        with case.during("Launch vLLM") as run:
            wait_for("the failure", lambda: failed(case))
            case.inject()
            assert case.until_failure(run, 6).host == "node0"
        assert (case.rows[-1].seconds or 0) <= 5
        case.operator.run("exec", case.hosts.inventory, "--", "true")
    _never_comes(case)
    assert [case.hosts.pids(host, "raylet/raylet") for host in case.host_names] == raylets


def _never_comes(case: Case) -> None:
    whys = {
        "the placement group of the engine waits for ever": {"behaviour": "placement"},
        "the engine does not find our Ray and starts one of its own": {"behaviour": "local_ray"},
    }
    for fault, behaviour in whys.items():
        case.fault = fault
        case.hosts.behave(**behaviour)
        with case.during("Launch vLLM") as run:
            case.inject()
            assert case.until_failure(run, 6).host == "node0"
    case.fault = "the engine stands still while it loads, beyond all patience (here 4 s)"
    case.hosts.behave(behaviour="hang")
    with case.during(_READY, ORCHESTRATOR_PATIENCE_LOAD="4") as run:
        case.inject()
        assert case.until_failure(run, 6).host == "node0"
    case.fault = "the engine is healthy and gives no token (patience 5 s)"
    case.hosts.behave(behaviour="tokenless")
    with case.during("Prove it with a token") as run:
        case.inject()
        assert case.until_failure(run, 6).host == "node0"


def test_a_process_of_the_engine_is_killed(case: Case) -> None:
    """vLLM is rolled back each time, and Ray stays."""
    ray_alone(case)
    case.hosts.behave(load_seconds=30)
    case.fault = "vLLM is killed while it loads"
    with case.during(_READY) as run:
        pid = leader(case.hosts, "node0", "vllm")
        case.inject(lambda: signal(case.hosts, "node0", "KILL", pid))
        assert case.until_failure(run, 6).host == "node0"
    case.fault = "a rank on a worker is killed while it loads"
    with case.during(_READY) as run:
        pid = rank(case)
        case.inject(lambda: signal(case.hosts, "node1", "KILL", pid))
        assert case.until_failure(run, 6).host == "node1"


def test_a_rank_runs_out_of_memory(case: Case) -> None:
    """the kernel's OOM killer ends a rank on a worker while it loads"""
    case.hosts.behave(load_seconds=30)
    with short_of_memory(case.hosts, "node1") as limit, case.during(_READY) as run:
        pid = rank(case)
        case.inject(lambda: limit(pid))
        report = case.until_failure(run, 6)
    assert report.host == "node1"


def rank(case: Case) -> int:
    """The one on the worker, once it is there."""
    wait_for("the rank on node1", lambda: case.hosts.gpus_in_use("node1"))
    return rank_pid(case.hosts, "node1")


def test_a_process_of_ray_is_killed(case: Case) -> None:
    """What was started is rolled back each time."""
    case.hosts.behave(load_seconds=60)
    for title, host, word in (
        (_READY, "node1", "raylet/raylet"),
        (_READY, "node0", "gcs/gcs_server"),
        ("Prove the GPUs through Ray", "node0", "gcs/gcs_server"),
    ):
        case.fault = f"{Path(word).name} on {host} is killed in {title!r}"
        with case.during(title) as run:
            wait_for(word, lambda: case.hosts.pids("node1", "raylet/raylet"))  # the last of Ray to start
            if title == _READY:
                rank(case)
            pids = case.hosts.pids(host, word)
            case.inject(lambda host=host, pids=pids: signal(case.hosts, host, "KILL", *pids))  # type: ignore[misc]
            assert host in case.until_failure(run, 6).host


@pytest.mark.parametrize(
    ("port", "whose", "host"),
    [(8000, "vLLM's", "node0"), (6379, "Ray's", "node0"), (6380, "Ray's node manager's", "node1")],
    ids=["serve", "gcs", "node-manager"],
)
def test_a_port_that_is_taken_in_between(case: Case, port: int, whose: str, host: str) -> None:
    """{whose} port on {host} is taken between the check and the launch"""
    with case.during("Take the lease", ORCHESTRATOR_PATIENCE_GATE="15") as run:
        case.inject(lambda: detached(case.hosts, host, sys.executable, "-c", _LISTEN.format(port)))
        report = case.until_failure(run, 6)
    assert host in report.host
    signal(case.hosts, host, "KILL", *case.hosts.pids(host, "signal.pause"))


def test_what_is_missing(case: Case) -> None:
    """It is found before anything is started."""
    before = case.hosts.run("node1", "cat", "/etc/sandbox/gpus.json")
    case.fault = "a GPU of a worker has fallen off the bus"
    case.hosts.write("node1", "/etc/sandbox/gpus.json", json.dumps({**json.loads(before), "gpus": []}))
    assert case.refused(3).host == "node1"
    case.hosts.write("node1", "/etc/sandbox/gpus.json", before)

    case.fault = "a GPU of a worker is held by somebody else"
    pid = detached(case.hosts, "node1", "hold-gpu", "0")
    assert case.refused(3).host == "node1"
    assert pid in case.hosts.processes("node1")
    signal(case.hosts, "node1", "KILL", pid)

    case.fault = "a worker has another Ray than the head"
    script = 'cd "$1" && mv ray-[0-9]*.dist-info ray-2.1.0.dist-info'
    case.hosts.run("node1", "sh", "-c", script, "sh", case.site_packages)
    case.refused(3)
    case.hosts.run(
        "node1", "sh", "-c", 'cd "$1" && mv ray-2.1.0.dist-info ray-2.60.0.dist-info', "sh", case.site_packages
    )

    case.fault = "a worker lacks a shard of the model"
    case.hosts.run("node1", "sh", "-c", "rm $(ls /models/ernie-4.5-vl-tiny/*.safetensors | head -1)")
    assert case.refused(3).host == "node1"
