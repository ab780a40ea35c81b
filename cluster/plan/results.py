"""A model and a fit as values that say all of it."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.inventory import Inventory
from cluster.model import Architecture, Fit, Lever, PipelineStage
from cluster.model.fit import by_part, checkpoint_bytes, parameters
from cluster.model.layout import BYTES
from cluster.plan.sources import Source
from cluster.plan.vllm_settings import Card
from cluster.values import (
    Facts,
    PlannedFit,
    PlannedLever,
    PlannedModel,
    PlannedStage,
    Share,
)
from cluster.views import Observed

_HOW = "give config.json: put the model's folder or its cache here"


def unknown_model(inventory: Inventory, source: Source, problem: str, asked: bool) -> PlannedModel:
    """One whose shape nobody could read."""
    how = _HOW if asked else f"{_HOW}, or ask the head with --hosts"
    said = f"{problem} ({how})" if source.config is None else problem
    return PlannedModel(inventory.model.id, "", source.name, "", (), None, problem=said)


def planned_model(inventory: Inventory, source: Source, shape: Architecture, seen: Observed) -> PlannedModel:
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
    hubs = [one.machine.hub for one in facts if one and one.model.problem]
    rooms = [hub.free_mib + hub.held_mib for hub in hubs if hub and hub.free_mib is not None]
    return min(rooms) << 20 if rooms else None


def planned_fit(shape: Architecture, fit: Fit, card: Card) -> PlannedFit:
    return PlannedFit(
        stages=tuple(_stage(shape, fit, number) for number in range(len(fit.stages))),
        memory=card.memory,
        measured=card.measured,
        utilization=fit.service.utilization,
        budget=fit.budget,
        max_model_len=fit.service.max_model_len,
        kv_tokens=fit.tokens,
        requests=fit.requests,
        fits=fit.fits,
        lacking=fit.lacking,
    )


def _stage(shape: Architecture, fit: Fit, number: int) -> PlannedStage:
    stage: PipelineStage = fit.stages[number]
    return PlannedStage(
        first=stage.layers[0],
        last=stage.layers[-1],
        weights=stage.weights,
        offloaded=stage.offloaded,
        parts=tuple(Share(part, size) for part, size in by_part(shape, fit.layout, number).items()),
        beside=stage.shares,
        kv_per_token=stage.kv_per_token,
        left=stage.left,
    )


def planned_lever(lever: Lever) -> PlannedLever:
    found = lever.fit
    return PlannedLever(
        what=lever.what,
        change=lever.change,
        weights=found.largest.weights,
        kv_tokens=found.tokens or 0,
        requests=found.requests or 0.0,
        lacking=found.lacking or 0,
    )
