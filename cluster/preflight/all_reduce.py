"""The results of an all-reduce over all GPUs: whether it ends, how fast it is, and its transport."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.engine.nccl import SLOW
from cluster.inventory import Inventory
from cluster.preflight.check import Check, Evidence, blocking, finding
from cluster.values import AllReduceResult, Finding

_SOURCE = "vLLM docs, distributed_troubleshooting: the sanity check script"


def completed(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    for host, problem in evidence.fabric.problems if evidence.fabric else ():
        yield blocking(
            problem,
            host=host,
            wanted=f"an all-reduce over {inventory.gpus} ranks",
            why="the ranks of vLLM begin with an all-reduce; they would hang, or crash after minutes",
            cure="check GLOO_SOCKET_IFNAME, NCCL_SOCKET_IFNAME and NCCL_IB_HCA, and open all TCP ports between "
            "the hosts",
            source=_SOURCE,
        )


def bandwidth(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    floor, fabric = inventory.preflight.fabric, evidence.fabric
    if floor is None or fabric is None or fabric.gb_per_second is None or fabric.ranks < 2:
        return
    if fabric.gb_per_second < floor.min_gb_per_second:
        yield blocking(
            f"{_rate(fabric)} over {fabric.ranks} ranks",
            wanted=f"{floor.min_gb_per_second:g} GB/s",
            why="every token waits for several all-reduces in each layer",
            cure="find links that are down or slow with `ibstat`, `nvidia-smi topo -m`, `nvidia-smi nvlink -s`",
            source=_SOURCE,
        )


def transport(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Checks the transport between hosts only. Within one host, NCCL has better transports than the network."""
    fabric = evidence.fabric
    if fabric is None or not inventory.uses_ray or fabric.transport.kind != "NET/Socket":
        return
    refused = inventory.serve.refuse_socket_transport
    yield finding(
        "blocking" if refused else "warning",
        f"NET/Socket, {_rate(fabric)}: {fabric.transport.evidence}",
        wanted="NET/IB",
        why=SLOW,
        cure="check NCCL_IB_HCA, nvidia_peermem and /dev/infiniband on every host",
        source="vllm#6610",
    )


def _rate(fabric: AllReduceResult) -> str:
    return "an unknown rate" if fabric.gb_per_second is None else f"{fabric.gb_per_second:.3g} GB/s"


CHECKS = tuple(Check("fabric", look, "fabric") for look in (completed, bandwidth, transport))
