"""vLLM anew, on the same Ray: what the published guide does before each run, for the sake of a cold cache."""

from __future__ import annotations

from cluster.launch import unit
from cluster.state.desired import vllm_unit
from orchestrator.run.phase import Phase, Stage
from orchestrator.run.stopping import stop


class Restart(Phase):
    title = "Restart vLLM"

    def run(self, stage: Stage) -> None:
        """Raises NotReleased when the old engine stays. Nothing is rolled back."""
        head = stage.head
        stop(stage, "vllm", [head.name]).require_released()
        head.run(unit.launch(vllm_unit(stage.inventory, stage.seen), stage.venv))
