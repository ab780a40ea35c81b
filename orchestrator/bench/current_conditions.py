"""What would be measured at this moment."""

from __future__ import annotations

from cluster.bench.conditions import conditions
from cluster.bench.record import Conditions
from cluster.engine import nccl
from cluster.engine.unit_log import UnitLog
from orchestrator.run.phase import Stage


def present(stage: Stage) -> Conditions:
    """What would be measured now."""
    head = stage.head.name
    engine = UnitLog(stage.head, "vllm", stage.facts(head).state, stage.venv)
    engine.look()
    return conditions(stage.inventory, stage.seen, engine.log, _network(stage))


def _network(stage: Stage) -> tuple[str, ...]:
    if not stage.inventory.uses_ray:
        return ()
    answers = stage.fleet.all(lambda host: host.ask(nccl.lines(stage.facts(host.name).state, stage.venv)))
    return tuple(line for lines in answers.values() for line in lines)
