"""What a plan says of the model, whether or not its shape is known."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.inventory import Inventory
from cluster.model import Architecture
from cluster.model.fit import checkpoint_bytes, parameters
from cluster.model.layout import BYTES
from cluster.plan.results import PlannedModel
from cluster.plan.sources import Source
from cluster.values import Facts
from cluster.views import Observed

_ADVICE = "give config.json: put the model's folder or its cache here"


def unknown_model(inventory: Inventory, source: Source, problem: str, hosts_asked: bool) -> PlannedModel:
    """A model whose shape nobody could read."""
    advice = _ADVICE if hosts_asked else f"{_ADVICE}, or ask the head with --hosts"
    reason = f"{problem} ({advice})" if source.config is None else problem
    return PlannedModel(inventory.model.id, "", source.name, "", (), None, problem=reason)


def known_model(inventory: Inventory, source: Source, shape: Architecture, seen: Observed) -> PlannedModel:
    element = BYTES.get(shape.dtype, 2)
    return PlannedModel(
        id=inventory.model.id,
        architecture=shape.name,
        source=source.name,
        dtype=shape.dtype,
        parameters=tuple(parameters(shape).items()),
        checkpoint=checkpoint_bytes(shape, element),
        free=_free(view.facts for view in seen.values()),
    )


def _free(facts: Iterable[Facts | None]) -> int | None:
    """The least room of any host that has the model not yet."""
    hubs = [host.machine.hub for host in facts if host and host.model.problem]
    rooms = [hub.free_mib + hub.held_mib for hub in hubs if hub and hub.free_mib is not None]
    return min(rooms) << 20 if rooms else None
