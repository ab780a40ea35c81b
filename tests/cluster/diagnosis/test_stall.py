"""What a start that does not move is waiting for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.diagnosis import stall
from cluster.diagnosis.collect import Collected
from cluster.diagnosis.stall import Rank, StallEvidence
from cluster.diagnosis.stall.evidence import RayState, Socket
from cluster.inventory import Inventory
from tests.cluster import builders

RECORDED = Path(__file__).parents[2] / "recorded" / "stuck"

BARRIER = (
    "barrier (torch/distributed/distributed_c10d.py:4567)",
    "wrapper (torch/distributed/c10d_logger.py:81)",
    "GroupCoordinator.barrier (vllm/distributed/parallel_state.py:1100)",
    "Worker.load_model (vllm/v1/worker/gpu_worker.py:300)",
)
GROUP = (
    "_new_process_group_helper (torch/distributed/distributed_c10d.py:2169)",
    "new_group (torch/distributed/distributed_c10d.py:5863)",
)
LOADS = (
    "safetensors_weights_iterator (vllm/model_executor/model_loader/weight_utils.py:850)",
    "Worker.load_model (vllm/v1/worker/gpu_worker.py:300)",
)
IDLE = (
    "Poller.poll (zmq/sugar/poll.py:106)",
    "MessageQueue.dequeue (vllm/distributed/device_communicators/shm_broadcast.py:988)",
    "WorkerProc.worker_busy_loop (vllm/v1/executor/multiproc_executor.py:1041)",
)
RESERVING = "No current placement group found. Creating a new placement group.\n"


def collected(name: str) -> dict[str, Collected]:
    """Returns what was collected on real hosts."""
    found = {}
    for host in ("gpu-a", "gpu-b"):
        files = {path.name: path.read_text() for path in (RECORDED / name / host).iterdir()}
        texts = {
            f"ray/session_latest/logs/{file}" if file.startswith("worker-") else file: text
            for file, text in files.items()
        }
        found[host] = Collected(host, texts)
    return found


def rank(number: int, *, at: tuple[str, ...] = BARRIER, host: str = "", **overrides: Any) -> Rank:
    """One rank of sixteen over two hosts, waiting in a barrier."""
    host = host or ("gpu-a" if number < 8 else "gpu-b")
    values = {"state": "S", "waits_in": "futex_wait", "cpu": 0.0, "reads": 0, **overrides}
    return Rank(host, 100 + number, number, at=at, **values)


def sixteen(*others: Rank) -> tuple[Rank, ...]:
    """`others` in the place of those with their numbers."""
    instead = {one.number: one for one in others}
    return tuple(instead.get(number, rank(number)) for number in range(16))


def found(ranks: tuple[Rank, ...], **overrides: Any) -> StallEvidence:
    values: dict[str, Any] = {"engine": (), "sockets": {}, "ray": {}, "answered": ("gpu-a", "gpu-b")}
    return StallEvidence(ranks=ranks, **{**values, **overrides})


def cause(evidence: StallEvidence, log: str = "", inventory: Inventory | None = None) -> tuple[str, str]:
    means = stall.explain(inventory or builders.inventory(), evidence, log)
    assert means
    assert means.cure
    return means.host, means.cause


def socket(pid: int, state: str, local: str, remote: str = "0.0.0.0:0") -> Socket:
    return Socket(pid=pid, state=state, local=local, remote=remote)


def test_a_real_rank_that_was_stopped() -> None:
    evidence = stall.evidence(collected("rank-stopped"))
    assert [(one.host, one.number, one.state) for one in evidence.ranks] == [("gpu-a", 0, "S"), ("gpu-b", 1, "T")]
    host, why = cause(evidence, inventory=builders.inventory(gpus=1))
    assert (host, why) == ("gpu-b", "rank 1 on gpu-b is stopped, and the others wait for it")
    assert stall.summarize(builders.inventory(gpus=1), evidence) == [
        "gpu-a: rank 0 waiting for the engine",
        "gpu-b: rank 1 stopped",
    ]
    assert evidence.engine[0] == "Poller.poll (zmq/sugar/poll.py:106)"
    assert evidence.ray.free_gpus == 0


@pytest.mark.parametrize(
    ("evidence", "host", "why"),
    [
        (found(sixteen(rank(9, state="T"))), "gpu-b", "rank 9 on gpu-b is stopped, and the others wait for it"),
        (
            found(sixteen()[:15]),
            "gpu-b",
            "gpu-b has 7 of 8 ranks: one never started, or exited without an error message",
        ),
        (
            found(sixteen(rank(9, at=GROUP)), sockets={"gpu-b": [socket(109, "LISTEN", "127.0.1.1:4242")]}),
            "gpu-b",
            "gloo of rank 9 on gpu-b is bound to the loopback address, so other hosts cannot reach it",
        ),
        (
            found(sixteen(), sockets={"gpu-b": [socket(109, "SYN_SENT", "192.168.0.2:9", "192.168.0.1:4242")]}),
            "gpu-b",
            "gpu-b gets no answer from gpu-a at 192.168.0.1:4242: "
            "a firewall or a broken link between them drops packets",
        ),
        (
            found(sixteen(*(rank(n, state="D", waits_in="nfs_wait_bit", at=LOADS) for n in (8, 9)))),
            "gpu-b",
            "rank 8 on gpu-b and 1 more waits in the kernel (nfs_wait_bit) and reads nothing: "
            "a disk or a GPU hangs",
        ),
        (
            found(sixteen(rank(9, at=LOADS))),
            "gpu-b",
            f"15 of 16 ranks wait for rank 9 on gpu-b, which is in {LOADS[0]}",
        ),
        (
            found(sixteen()),
            "gpu-a",
            f"all 16 ranks wait for each other in {BARRIER[0]}: their data does not arrive",
        ),
        (
            found(tuple(rank(n, at=IDLE) for n in range(16)), engine=("wait (vllm/v1/engine/core.py:7)",)),
            "gpu-a",
            "all 16 ranks wait for the engine, which is in wait (vllm/v1/engine/core.py:7)",
        ),
    ],
    ids=["stopped", "missing", "loopback", "firewall", "storage", "one-alone", "all-together", "all-idle"],
)
def test_known_patterns(evidence: StallEvidence, host: str, why: str) -> None:
    assert cause(evidence) == (host, why)


@pytest.mark.parametrize(
    ("ray", "host", "why"),
    [
        ({}, "gpu-a", "vLLM waits for GPUs, and Ray on the head does not answer"),
        (
            {"nodes": [{"address": "192.168.0.1", "alive": True}], "free_gpus": 8},
            "gpu-b",
            "gpu-b is no longer in Ray, so its GPUs are missing",
        ),
        (
            {"nodes": [{"address": f"192.168.0.{n}", "alive": True} for n in (1, 2)], "free_gpus": 12.0},
            "gpu-a",
            "vLLM waits for 16 GPUs, and Ray has 12 free: another task in this Ray holds the others",
        ),
    ],
)
def test_before_there_are_ranks(ray: dict[str, Any], host: str, why: str) -> None:
    assert cause(found((), ray=RayState.model_validate(ray)), RESERVING) == (host, why)


@pytest.mark.parametrize(
    ("evidence", "log"),
    [
        (found(()), "Starting to load model\n"),
        (found(tuple(rank(n, at=LOADS) for n in range(16))), ""),
        (found(sixteen(rank(9, at=()))), ""),
        (found(tuple(rank(n, at=LOADS, state="D", reads=1 << 30) for n in range(16))), ""),
    ],
    ids=["nothing-yet", "all-load", "no-stack", "all-read"],
)
def test_what_fits_no_pattern_is_not_explained(evidence: StallEvidence, log: str) -> None:
    assert stall.explain(builders.inventory(), evidence, log) is None


def test_a_host_that_did_not_answer_is_not_accused() -> None:
    evidence = found(tuple(rank(n, at=LOADS) for n in range(8)), answered=("gpu-a",))
    assert stall.explain(builders.inventory(), evidence, "") is None
    assert stall.summarize(builders.inventory(), evidence)[1] == "gpu-b: did not answer"


def test_ranks_at_the_same_place_share_a_line() -> None:
    nameless = replace(rank(9, at=()), number=None, cpu=0.9)
    evidence = found((*(one for one in sixteen(rank(3, at=LOADS)) if one.number != 9), nameless))
    assert stall.summarize(builders.inventory(), evidence) == [
        f"gpu-a: ranks 0, 1, 2, 4, 5, 6, 7 in {BARRIER[0]}",
        f"gpu-a: rank 3 in {LOADS[0]}",
        f"gpu-b: ranks 8, 10, 11, 12, 13, 14, 15 in {BARRIER[0]}",
        "gpu-b: the rank with pid 109 at work",
    ]
    whole = found(sixteen())
    assert stall.summarize(builders.inventory(), whole)[1] == f"gpu-b: ranks 8 to 15 in {BARRIER[0]}"
    assert stall.summarize(builders.inventory(), found(()))[0] == "gpu-a: no ranks run"


def test_what_cannot_be_read_is_no_failure() -> None:
    broken = {"gpu-a": Collected("gpu-a", {"processes.json": "[", "connections.json": "nonsense"})}
    evidence = stall.evidence(broken)
    assert (evidence.ranks, evidence.sockets, evidence.ray) == ((), {"gpu-a": ()}, RayState())


def test_what_is_asked_for() -> None:
    one = builders.inventory()
    asked = stall.request(one, "gpu-a", builders.STATE, since=60.0, seconds=6.0)
    assert asked.processes
    assert asked.ray_state
    assert stall.request(one, "gpu-b", builders.STATE, since=60.0, seconds=6.0).ray_state is None


def test_stacks_are_worth_reading(tmp_path: Path) -> None:
    """The recorded ones have frames as py-spy says them."""
    frames = json.loads((RECORDED / "rank-stopped/gpu-a/processes.json").read_text())[0]["threads"][0]["frames"]
    assert all(frame.endswith(")") and " (" in frame for frame in frames)
