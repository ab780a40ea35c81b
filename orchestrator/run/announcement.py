"""The announcement, out of what happened in this very run."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.inventory import Inventory
from cluster.values import Announcement, NcclTransport
from orchestrator.events import EndpointVerified, EngineReady, Event, PhaseDone, TransportDetected


def announcement(inventory: Inventory, events: Sequence[Event]) -> Announcement:
    """Raises ValueError when the run has no proof: nothing is announced that was not proved."""
    proof = next((event for event in reversed(events) if isinstance(event, EndpointVerified)), None)
    if proof is None:
        raise ValueError("no token was generated in this run")
    return Announcement(
        url=proof.url,
        model=inventory.model.id,
        served_name=inventory.model.served_name,
        tensor_parallel_size=inventory.serve.tensor_parallel_size,
        pipeline_parallel_size=inventory.serve.pipeline_parallel_size,
        hosts=tuple(spec.name for spec in inventory.hosts),
        gpus=inventory.gpus,
        transport=_transport(events),
        kv_cache_tokens=next((one.kv_cache_tokens for one in events if isinstance(one, EngineReady)), None),
        proved_from=proof.origin,
        token=proof.token,
        needs_key=inventory.serve.api_key is not None,
        seconds=tuple((one.title, one.seconds) for one in events if isinstance(one, PhaseDone)),
    )


def _transport(events: Sequence[Event]) -> NcclTransport | None:
    """The last that is known: channels are named later than the network."""
    said = [event.transport for event in events if isinstance(event, TransportDetected)]
    known = [transport for transport in said if transport.kind != "unknown"]
    return (known or said)[-1] if said else None
