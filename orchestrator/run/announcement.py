"""The announcement, made from the events of this run."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.inventory import Inventory
from cluster.values import Announcement, NcclTransport
from orchestrator.events import EndpointVerified, EngineReady, Event, PhaseDone, TransportDetected


def announcement(inventory: Inventory, events: Sequence[Event]) -> Announcement:
    """Raises ValueError when the run has no proof: only a proved endpoint is announced."""
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
        kv_cache_tokens=next((event.kv_cache_tokens for event in events if isinstance(event, EngineReady)), None),
        proved_from=proof.origin,
        token=proof.token,
        needs_key=inventory.serve.api_key is not None,
        seconds=tuple((event.title, event.seconds) for event in events if isinstance(event, PhaseDone)),
    )


def _transport(events: Sequence[Event]) -> NcclTransport | None:
    """The last known transport: channels become known later than the network."""
    detected = [event.transport for event in events if isinstance(event, TransportDetected)]
    known = [transport for transport in detected if transport.kind != "unknown"]
    return (known or detected)[-1] if detected else None
