"""The cause of a stalled start in one sentence, where its pattern is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cluster.diagnosis.stall.evidence import HALTED, STATES, Rank, StallEvidence, telling_frame
from cluster.engine.vllm_log import loading
from cluster.inventory import Inventory


@dataclass(frozen=True)
class StallCause:
    """The cause in one sentence, its host, and the fix."""

    host: str
    cause: str
    cure: str


def explain(inventory: Inventory, evidence: StallEvidence, log: str) -> StallCause | None:
    """Returns the first known pattern that matches; None where none does. `log` is vLLM's."""
    if not evidence.ranks:
        return _without_ranks(inventory, evidence) if loading(log).stage == "reserving GPUs" else None
    patterns = (_stopped, _missing, _loopback, _no_way, _storage, _one_alone, _all_together, _all_idle)
    return next((cause for pattern in patterns if (cause := pattern(inventory, evidence))), None)


def _without_ranks(inventory: Inventory, evidence: StallEvidence) -> StallCause:
    """Explains why vLLM waits for GPUs that Ray does not give it."""
    head = inventory.head.name
    alive = {node.address for node in evidence.ray.nodes if node.alive}
    gone = [spec.name for spec in inventory.hosts if spec.cluster_address not in alive]
    if evidence.ray.free_gpus is None:
        return StallCause(
            head, "vLLM waits for GPUs, and Ray on the head does not answer", "run `down`, then `up`"
        )
    if gone:
        cause = f"{gone[0]} is no longer in Ray, so its GPUs are missing"
        return StallCause(gone[0], cause, f"read its log: `orchestrator logs {gone[0]} --unit ray`")
    free = f"vLLM waits for {inventory.gpus} GPUs, and Ray has {evidence.ray.free_gpus:g} free"
    return StallCause(head, f"{free}: another task in this Ray holds the others", "run `down`, then `up`")


def _stopped(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    rank = next((rank for rank in evidence.ranks if rank.state in HALTED), None)
    if rank is None:
        return None
    cause = f"{rank.name} on {rank.host} is {STATES[rank.state]}, and the others wait for it"
    return StallCause(
        rank.host, cause, f"find what stopped pid {rank.pid} there; `kill -CONT {rank.pid}` continues it"
    )


def _missing(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """Finds a host that answered and has fewer ranks than GPUs."""
    ranks_on = Counter(rank.host for rank in evidence.ranks)
    for spec in inventory.hosts:
        if spec.name in evidence.answered and ranks_on[spec.name] < spec.gpus:
            count = f"{spec.name} has {ranks_on[spec.name]} of {spec.gpus} ranks"
            cause = f"{count}: one never started, or exited without an error message"
            return StallCause(spec.name, cause, f"read their logs: `orchestrator logs {spec.name} --unit ranks`")
    return None


def _loopback(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """Finds a rank that is bound to the loopback address: other hosts cannot reach it."""
    if len(inventory.hosts) == 1:
        return None
    bound = next((rank for rank in evidence.ranks if _on_loopback(rank, evidence)), None)
    if bound is None:
        return None
    cause = (
        f"gloo of {bound.name} on {bound.host} is bound to the loopback address, so other hosts cannot reach it"
    )
    cure = f"make the name of {bound.host} resolve to its cluster address, or set GLOO_SOCKET_IFNAME there"
    return StallCause(bound.host, cause, cure)


def _on_loopback(rank: Rank, evidence: StallEvidence) -> bool:
    """Returns whether gloo listens on the loopback address; it listens before it connects to the others."""
    listens = (row.local for row in evidence.sockets.get(rank.host, ()) if row.pid == rank.pid
               and row.state == "LISTEN")  # fmt: skip
    return "group" in rank.waits_for_others and any(end.startswith("127.") for end in listens)


def _no_way(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """Finds a connection attempt between hosts without an answer."""
    tries = [(host, row.remote) for host, rows in evidence.sockets.items() for row in rows
             if row.state == "SYN_SENT"]  # fmt: skip
    if not tries:
        return None
    host, remote = tries[0]
    names = {spec.cluster_address: spec.name for spec in inventory.hosts}
    peer = names.get(remote.rpartition(":")[0].strip("[]"), "a host outside the cluster")
    cause = (
        f"{host} gets no answer from {peer} at {remote}: a firewall or a broken link between them drops packets"
    )
    return StallCause(host, cause, "open all TCP ports between the cluster addresses")


def _storage(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    hung = [rank for rank in evidence.ranks if rank.state == "D" and not rank.reads]
    if not hung:
        return None
    rank = hung[0]
    more = f" and {len(hung) - 1} more" if len(hung) > 1 else ""
    kernel = f" ({rank.waits_in})" if rank.waits_in.strip("0") else ""
    who = f"{rank.name} on {rank.host}{more}"
    cause = f"{who} waits in the kernel{kernel} and reads nothing: a disk or a GPU hangs"
    return StallCause(rank.host, cause, f"read `dmesg -T` on {rank.host}, and check the storage of the model")


def _one_alone(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """Finds the few ranks that most others wait for."""
    alone = [rank for rank in evidence.ranks if not rank.waits_for_others]
    if not alone or len(alone) * 2 > len(evidence.ranks) or any(not rank.at for rank in evidence.ranks):
        return None
    rank, waiting = alone[0], len(evidence.ranks) - len(alone)
    more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
    who = f"{rank.name} on {rank.host}{more}"
    cause = f"{waiting} of {len(evidence.ranks)} ranks wait for {who}, which is in {rank.where}"
    return StallCause(rank.host, cause, f"read its log: `orchestrator logs {rank.host} --unit ranks`")


def _all_together(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    if len(inventory.hosts) == 1 or not all(rank.waits_for_others for rank in evidence.ranks):
        return None
    rank = evidence.ranks[0]
    call = rank.waits_for_others
    cause = f"all {len(evidence.ranks)} ranks wait for each other in {call}: their data does not arrive"
    cure = "run `down`, then `orchestrator check --fabric`; check NCCL_IB_HCA, NCCL_SOCKET_IFNAME and firewalls"
    return StallCause(rank.host, cause, cure)


def _all_idle(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    if not evidence.engine or not all(rank.idle for rank in evidence.ranks):
        return None
    cause = f"all {len(evidence.ranks)} ranks wait for the engine, which is in {telling_frame(evidence.engine)}"
    return StallCause(
        inventory.head.name, cause, "run `down`, then `up`; if it happens again, run `orchestrator diagnose`"
    )
