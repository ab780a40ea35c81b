"""What a start that does not move is waiting for, in one sentence, where a pattern is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cluster.diagnosis.stall.evidence import STATES, Rank, StallEvidence, told_frame
from cluster.engine.vllm_log import loading
from cluster.inventory import Inventory


@dataclass(frozen=True)
class StallCause:
    """One sentence of what it means, the host to look at, and what to do."""

    host: str
    cause: str
    cure: str


def meaning(inventory: Inventory, found: StallEvidence, log: str) -> StallCause | None:
    """The first known pattern that fits; None where none does. `log` is vLLM's."""
    if not found.ranks:
        return _without_ranks(inventory, found) if loading(log).stage == "reserving GPUs" else None
    looks = (_stopped, _missing, _loopback, _no_way, _storage, _one_alone, _all_together, _all_idle)
    return next((one for look in looks if (one := look(inventory, found))), None)


def _without_ranks(inventory: Inventory, found: StallEvidence) -> StallCause:
    """vLLM waits for GPUs that Ray does not give it."""
    head = inventory.head.name
    alive = {one["address"] for one in found.ray.get("nodes", ()) if one["alive"]}
    gone = [spec.name for spec in inventory.hosts if spec.cluster_address not in alive]
    if "free_gpus" not in found.ray:
        return StallCause(
            head, "vLLM waits for GPUs, and Ray on the head does not answer", "run `down`, then `up`"
        )
    if gone:
        cause = f"{gone[0]} is no longer in Ray, so its GPUs cannot be had"
        return StallCause(gone[0], cause, f"see why: `orchestrator logs {gone[0]} --unit ray`")
    free = f"vLLM waits for {inventory.gpus} GPUs, and Ray has {found.ray['free_gpus']:g} free"
    return StallCause(head, f"{free}: something in this Ray holds the others", "run `down`, then `up`")


def _stopped(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    one = next((one for one in found.ranks if one.state in "TtZ"), None)
    if one is None:
        return None
    cause = f"{one.name} on {one.host} is {STATES[one.state]}, and the others wait for it"
    return StallCause(
        one.host, cause, f"see who stopped pid {one.pid} there; `kill -CONT {one.pid}` lets it go on"
    )


def _missing(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    """Fewer ranks than GPUs on a host that answered."""
    on = Counter(one.host for one in found.ranks)
    for spec in inventory.hosts:
        if spec.name in found.answered and on[spec.name] < spec.gpus:
            cause = f"{spec.name} has {on[spec.name]} of {spec.gpus} ranks: one never came, or went without a word"
            return StallCause(
                spec.name, cause, f"see what they said: `orchestrator logs {spec.name} --unit ranks`"
            )
    return None


def _loopback(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    """A rank that is bound to the loopback address cannot be reached from another host."""
    bound = next((one for one in found.ranks if len(inventory.hosts) > 1 and _on_loopback(one, found)), None)
    if bound is None:
        return None
    cause = (
        f"gloo of {bound.name} on {bound.host} is bound to the loopback address, where no other host reaches it"
    )
    cure = f"make the name of {bound.host} resolve to its cluster address, or set GLOO_SOCKET_IFNAME there"
    return StallCause(bound.host, cause, cure)


def _on_loopback(one: Rank, found: StallEvidence) -> bool:
    """Gloo listens where it is bound, before it connects to the others."""
    listens = (row["local"] for row in found.sockets.get(one.host, ()) if row["pid"] == one.pid
               and row["state"] == "LISTEN")  # fmt: skip
    return "group" in one.waits_for_others and any(end.startswith("127.") for end in listens)


def _no_way(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    """A connection between hosts that nobody answers."""
    tries = [(host, row["remote"]) for host, rows in found.sockets.items() for row in rows
             if row["state"] == "SYN_SENT"]  # fmt: skip
    if not tries:
        return None
    host, remote = tries[0]
    names = {spec.cluster_address: spec.name for spec in inventory.hosts}
    peer = names.get(remote.rpartition(":")[0].strip("[]"), "a host that is none of ours")
    cause = f"{host} gets no answer from {peer} at {remote}: something between them drops what it sends"
    return StallCause(host, cause, "open all TCP ports between the cluster addresses")


def _storage(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    hung = [one for one in found.ranks if one.state == "D" and not one.reads]
    if not hung:
        return None
    one = hung[0]
    more = f" and {len(hung) - 1} more" if len(hung) > 1 else ""
    kernel = f" ({one.waits_in})" if one.waits_in.strip("0") else ""
    cause = (
        f"{one.name} on {one.host}{more} waits in the kernel{kernel} and reads nothing: a disk or a GPU that hangs"
    )
    return StallCause(one.host, cause, f"`dmesg -T` on {one.host}, and the storage that the model lies on")


def _one_alone(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    """Most wait together; the few that do not are what they wait for."""
    alone = [one for one in found.ranks if not one.waits_for_others]
    if not alone or len(alone) * 2 > len(found.ranks) or any(not one.at for one in found.ranks):
        return None
    one, waiting = alone[0], len(found.ranks) - len(alone)
    more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
    cause = (
        f"{waiting} of {len(found.ranks)} ranks wait for {one.name} on {one.host}{more}, which is in {one.where}"
    )
    return StallCause(one.host, cause, f"see what it does there: `orchestrator logs {one.host} --unit ranks`")


def _all_together(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    if len(inventory.hosts) == 1 or not all(one.waits_for_others for one in found.ranks):
        return None
    one = found.ranks[0]
    cause = (
        f"all {len(found.ranks)} ranks wait for each other in {one.waits_for_others}: their data does not arrive"
    )
    cure = "`down`, then `orchestrator check --fabric`; see NCCL_IB_HCA, NCCL_SOCKET_IFNAME and firewalls"
    return StallCause(one.host, cause, cure)


def _all_idle(inventory: Inventory, found: StallEvidence) -> StallCause | None:
    if not found.engine or not all(one.idle for one in found.ranks):
        return None
    cause = f"all {len(found.ranks)} ranks wait for the engine, which is in {told_frame(found.engine)}"
    return StallCause(
        inventory.head.name, cause, "run `down`, then `up`; if it happens again, `orchestrator diagnose`"
    )
