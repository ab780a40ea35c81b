"""The server that is measured: what it is, how far it is, whether it lives and still does anything."""

from __future__ import annotations

import time

from cluster.bench.client import Heard
from cluster.bench.conditions import Clocks, clocks_of, conditions
from cluster.bench.counters import Sample
from cluster.bench.record import Conditions
from cluster.diagnosis.engine_failure import is_dead
from cluster.errors import NotReady
from cluster.transport.wait import Stalled
from orchestrator.events import Progress
from orchestrator.run.engine_diagnosis import crash_error
from orchestrator.run.phase import Stage

#: Seconds between two looks at the engine, and after the first token until the GPUs' clocks are asked for.
_LOOK_EVERY = 3.0
_UNDER_LOAD = 2.0


def current_conditions(stage: Stage) -> Conditions:
    """What would be measured now."""
    engine = stage.engine()
    engine.look()
    network = stage.nccl_lines() if stage.inventory.uses_ray else ()
    return conditions(stage.inventory, stage.seen, engine.log, network)


class Watch:
    """`clocks` are those of the GPUs under load, empty until they were asked for."""

    def __init__(self, stage: Stage, heard: Heard, requests: int, title: str) -> None:
        self._stage = stage
        self._heard = heard
        self._requests = requests
        self._title = title
        self._engine = stage.engine()
        self._looked = time.monotonic()
        self._seen = 0
        self._stalled = Stalled[Sample | None](stage.patience.token, _moves)
        self.clocks: Clocks = {}

    def news(self) -> None:
        """Raises NotReady for a server that crashed or makes no progress, and whatever a guard raises."""
        self._stage.guard()
        self._show()
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self._looked = time.monotonic()
            self.fail_if_dead()
        self._fail_if_stalled()

    def fail_if_dead(self) -> None:
        """Raises EngineDied with the root cause, out of the engine's log."""
        status = self._engine.look()
        if is_dead(status, self._engine.log):
            raise crash_error(self._stage, self._engine, status)

    def _show(self) -> None:
        samples = self._heard.samples
        if len(samples) == self._seen:
            return
        self._seen = len(samples)
        before = self._heard.before.finished if self._heard.before else 0
        self._stage.sink(Progress(self._title, samples[-1].finished - before, self._requests, "requests"))
        self._ask_for_clocks()

    def _ask_for_clocks(self) -> None:
        """Asks once, as soon as the load is there."""
        busy = [sample for sample in self._heard.samples if sample.running]
        if not self.clocks and busy and busy[-1].at - busy[0].at >= _UNDER_LOAD:
            self.clocks = clocks_of(self._stage.fleet, self._stage.venv)

    def _fail_if_stalled(self) -> None:
        """Counts from the first sample on: before it, the client only starts."""
        self._stalled.saw(self._heard.samples[-1] if self._heard.samples else None)
        if self._stalled.over():
            patience = self._stage.patience.token
            raise NotReady(
                "tokens", patience, host=self._stage.head.name,
                cause=f"requests are running, but the server has read and generated no token for {patience:g} s",
                cure="run `down`, then `up`; if it happens again, read the vllm log on the head",
            )  # fmt: skip


def _moves(sample: Sample | None) -> object:
    return sample and (sample.prompt_tokens, sample.generated_tokens, sample.finished)
