"""vLLM anew, on the same Ray: what the published guide does before each run, for the sake of a cold cache."""

from __future__ import annotations

from cluster.errors import NotFreed
from cluster.launch import unit
from cluster.state.desired import vllm_unit
from orchestrator.run.phase import Phase, Stage


class Restart(Phase):
    title = "Restart vLLM"

    def run(self, stage: Stage) -> None:
        """Raises NotFreed when the old one stays. Nothing is taken back: an engine ran before, and is to run."""
        head = stage.head
        left = stage.stop("vllm", [head.name])
        if left:
            raise NotFreed(left)
        head.run(unit.launch(vllm_unit(stage.inventory, stage.seen), stage.venv))
