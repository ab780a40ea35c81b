"""What a start that does not move is waiting for, in one sentence, where a pattern is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cluster.diagnosis.stall.evidence import HALTED, STATES, Rank, StallEvidence, telling_frame
from cluster.engine.vllm_log import loading
from cluster.inventory import Inventory


@dataclass(frozen=True)
class StallCause:
    """One sentence of what it means, the host to look at, and what to do."""

    host: str
    cause: str
    cure: str


def explain(inventory: Inventory, evidence: StallEvidence, log: str) -> StallCause | None:
    """The first known pattern that fits; None where none does. `log` is vLLM's."""
    if not evidence.ranks:
        return _without_ranks(inventory, evidence) if loading(log).stage == "reserving GPUs" else None
    patterns = (_stopped, _missing, _loopback, _no_way, _storage, _one_alone, _all_together, _all_idle)
    return next((cause for pattern in patterns if (cause := pattern(inventory, evidence))), None)


def _without_ranks(inventory: Inventory, evidence: StallEvidence) -> StallCause:
    """vLLM waits for GPUs that Ray does not give it."""
    head = inventory.head.name
    alive = {node.address for node in evidence.ray.nodes if node.alive}
    gone = [spec.name for spec in inventory.hosts if spec.cluster_address not in alive]
    if evidence.ray.free_gpus is None:
        return StallCause(
            head, "vLLM waits for GPUs, and Ray on the head does not answer", "run `down`, then `up`"
        )
    if gone:
        cause = f"{gone[0]} is no longer in Ray, so its GPUs cannot be had"
        return StallCause(gone[0], cause, f"see why: `orchestrator logs {gone[0]} --unit ray`")
    free = f"vLLM waits for {inventory.gpus} GPUs, and Ray has {evidence.ray.free_gpus:g} free"
    return StallCause(head, f"{free}: something in this Ray holds the others", "run `down`, then `up`")


def _stopped(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    rank = next((rank for rank in evidence.ranks if rank.state in HALTED), None)
    if rank is None:
        return None
    cause = f"{rank.name} on {rank.host} is {STATES[rank.state]}, and the others wait for it"
    return StallCause(
        rank.host, cause, f"see who stopped pid {rank.pid} there; `kill -CONT {rank.pid}` lets it go on"
    )


def _missing(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """Fewer ranks than GPUs on a host that answered."""
    ranks_on = Counter(rank.host for rank in evidence.ranks)
    for spec in inventory.hosts:
        if spec.name in evidence.answered and ranks_on[spec.name] < spec.gpus:
            count = f"{spec.name} has {ranks_on[spec.name]} of {spec.gpus} ranks"
            cause = f"{count}: one never came, or went without a word"
            return StallCause(
                spec.name, cause, f"see what they said: `orchestrator logs {spec.name} --unit ranks`"
            )
    return None


def _loopback(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """A rank that is bound to the loopback address cannot be reached from another host."""
    if len(inventory.hosts) == 1:
        return None
    bound = next((rank for rank in evidence.ranks if _on_loopback(rank, evidence)), None)
    if bound is None:
        return None
    cause = (
        f"gloo of {bound.name} on {bound.host} is bound to the loopback address, where no other host reaches it"
    )
    cure = f"make the name of {bound.host} resolve to its cluster address, or set GLOO_SOCKET_IFNAME there"
    return StallCause(bound.host, cause, cure)


def _on_loopback(rank: Rank, evidence: StallEvidence) -> bool:
    """Gloo listens where it is bound, before it connects to the others."""
    listens = (row.local for row in evidence.sockets.get(rank.host, ()) if row.pid == rank.pid
               and row.state == "LISTEN")  # fmt: skip
    return "group" in rank.waits_for_others and any(end.startswith("127.") for end in listens)


def _no_way(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """A connection between hosts that nobody answers."""
    tries = [(host, row.remote) for host, rows in evidence.sockets.items() for row in rows
             if row.state == "SYN_SENT"]  # fmt: skip
    if not tries:
        return None
    host, remote = tries[0]
    names = {spec.cluster_address: spec.name for spec in inventory.hosts}
    peer = names.get(remote.rpartition(":")[0].strip("[]"), "a host that is none of ours")
    cause = f"{host} gets no answer from {peer} at {remote}: something between them drops what it sends"
    return StallCause(host, cause, "open all TCP ports between the cluster addresses")


def _storage(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    hung = [rank for rank in evidence.ranks if rank.state == "D" and not rank.reads]
    if not hung:
        return None
    rank = hung[0]
    more = f" and {len(hung) - 1} more" if len(hung) > 1 else ""
    kernel = f" ({rank.waits_in})" if rank.waits_in.strip("0") else ""
    who = f"{rank.name} on {rank.host}{more}"
    cause = f"{who} waits in the kernel{kernel} and reads nothing: a disk or a GPU that hangs"
    return StallCause(rank.host, cause, f"`dmesg -T` on {rank.host}, and the storage that the model lies on")


def _one_alone(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    """Most wait together; the few that do not are what they wait for."""
    alone = [rank for rank in evidence.ranks if not rank.waits_for_others]
    if not alone or len(alone) * 2 > len(evidence.ranks) or any(not rank.at for rank in evidence.ranks):
        return None
    rank, waiting = alone[0], len(evidence.ranks) - len(alone)
    more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
    who = f"{rank.name} on {rank.host}{more}"
    cause = f"{waiting} of {len(evidence.ranks)} ranks wait for {who}, which is in {rank.where}"
    return StallCause(rank.host, cause, f"see what it does there: `orchestrator logs {rank.host} --unit ranks`")


def _all_together(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    if len(inventory.hosts) == 1 or not all(rank.waits_for_others for rank in evidence.ranks):
        return None
    rank = evidence.ranks[0]
    call = rank.waits_for_others
    cause = f"all {len(evidence.ranks)} ranks wait for each other in {call}: their data does not arrive"
    cure = "`down`, then `orchestrator check --fabric`; see NCCL_IB_HCA, NCCL_SOCKET_IFNAME and firewalls"
    return StallCause(rank.host, cause, cure)


def _all_idle(inventory: Inventory, evidence: StallEvidence) -> StallCause | None:
    if not evidence.engine or not all(rank.idle for rank in evidence.ranks):
        return None
    cause = f"all {len(evidence.ranks)} ranks wait for the engine, which is in {telling_frame(evidence.engine)}"
    return StallCause(
        inventory.head.name, cause, "run `down`, then `up`; if it happens again, `orchestrator diagnose`"
    )
