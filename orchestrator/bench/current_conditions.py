"""What would be measured at this moment."""

from __future__ import annotations

from cluster.bench.conditions import conditions
from cluster.bench.record import Conditions
from orchestrator.run.phase import Stage


def present(stage: Stage) -> Conditions:
    """What would be measured now."""
    engine = stage.engine()
    engine.look()
    network = stage.nccl_lines() if stage.inventory.uses_ray else ()
    return conditions(stage.inventory, stage.seen, engine.log, network)
