"""vLLM on the head. An engine of this cluster that already loads keeps loading."""

from __future__ import annotations

from cluster.launch import unit
from cluster.state.desired import vllm_runs, vllm_unit
from cluster.values import Presence
from orchestrator.run.phase import Phase, Situation, Stage
from orchestrator.run.stopping import stop, take_back


class LaunchVllm(Phase):
    title = "Launch vLLM"
    starts = True

    def skip(self, situation: Situation) -> str | None:
        return "it runs as wanted" if vllm_runs(situation.inventory, situation.seen) else None

    def run(self, stage: Stage) -> None:
        """Raises CommandFailed when the head cannot launch vLLM; later phases judge what happens then."""
        head = stage.head
        stage.facts(head.name)  # raises where the head was lost meanwhile
        head.run(unit.launch(vllm_unit(stage.inventory, stage.seen), stage.venv, stage.launcher, stage.run_id))

    def undo(self, stage: Stage) -> None:
        head = stage.head.name
        if stage.seen[head].vllm.presence is not Presence.ABSENT:
            return
        take_back(stage, "vllm", [head])


class Restart(Phase):
    """Restarts vLLM on the same Ray, as the published guide does before each run to get a cold cache."""

    title = "Restart vLLM"

    def run(self, stage: Stage) -> None:
        """Raises NotReleased when the old engine keeps running. Nothing is rolled back."""
        head = stage.head
        stop(stage, "vllm", [head.name]).require_released()
        head.run(unit.launch(vllm_unit(stage.inventory, stage.seen), stage.venv, stage.launcher, stage.run_id))
