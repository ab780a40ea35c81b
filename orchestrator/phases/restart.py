"""vLLM anew, on the same Ray: what the published guide does before each run, for the sake of a cold cache."""

from __future__ import annotations

from cluster.errors import NotReleased
from cluster.launch import unit
from cluster.state.desired import vllm_unit
from orchestrator.run.phase import Phase, Stage


class Restart(Phase):
    title = "Restart vLLM"

    def run(self, stage: Stage) -> None:
        """Raises NotReleased when the old engine stays. Nothing is rolled back."""
        head = stage.head
        left = stage.stop("vllm", [head.name])
        if left:
            raise NotReleased(left)
        head.run(unit.launch(vllm_unit(stage.inventory, stage.seen), stage.venv))
