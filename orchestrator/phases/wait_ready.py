"""Waits until the engine is healthy: shows progress, sees a crash within seconds, and ends at a stall."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from cluster.diagnosis.engine_failure import is_dead
from cluster.engine import vllm_log
from cluster.engine.endpoint import local_url
from cluster.engine.load_progress import LoadDetector
from cluster.errors import EngineDied, HostError, TimedOut
from cluster.launch.unit import UnitStatus
from cluster.transport.fleet import all_of, errors_of
from cluster.transport.host import Host
from orchestrator.events import EngineReady, HostActivity, LastLogLine, Progress
from orchestrator.run.engine_diagnosis import Advice, crash_error, ray_loss_error, ray_status, stall_error
from orchestrator.run.phase import Phase, Stage, Waits

#: Looks over which the rate of reading is taken: shards are read in bursts.
_LOOKS = 10


@dataclass(frozen=True)
class _Seen:
    engine: UnitStatus
    loading: vllm_log.Loading
    read: int
    loads: int
    lines: int

    def __str__(self) -> str:
        return f"{self.loading}, {self.read / 2**30:.1f} GiB read by all ranks"

    def mark(self) -> object:
        """A value that changes as long as any host makes progress."""
        return (self.loading, self.lines, self.loads)


class WaitReady(Phase):
    title = "Wait until the engine is ready"
    waits = Waits("the engine to load", lambda patience: patience.load, progress=True)
    acts = False

    def run(self, stage: Stage) -> None:
        """Raises EngineDied with its root cause within seconds of a crash, and NotReady at a stall."""
        watch = _Watch(stage)
        try:
            seen = stage.until(
                self.waits.what,
                watch.look,
                lambda seen: seen.engine.health == 200,
                self.waits.patience(stage.patience),
                _Seen.mark,
            )
        except TimedOut as error:
            if watch.lost:  # the wait ended while nobody could look at this host
                lost = watch.lost[0]
                raise error.explained(lost.host, f"{lost.doing}: {lost.reason}", lost.cure) from None
            raise stall_error(stage, watch.engine, error, _advice(stage)) from None
        stage.sink(EngineReady(seen.loading.kv_tokens))


def _advice(stage: Stage) -> Advice:
    head = stage.head.name
    cause = f"no progress for {stage.patience.load:g} s: no new line in the log, nothing loaded on any host"
    cure = f"read {stage.state_folder(head)}/vllm/log on {head}; for a slow disk, raise ORCHESTRATOR_PATIENCE_LOAD"
    return Advice(head, cause, cure)


class _Watch:
    """Inspects all hosts repeatedly, and keeps the log that it has read. `lost` is what made some of them
    unreachable the last time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._url = local_url(stage.inventory, "/health")
        self.engine = stage.engine()
        self._shards = (0, 0)
        self._last_line = ""
        self._loads = LoadDetector(stage.inventory.gpus)
        self._read: dict[str, deque[tuple[float, int]]] = {}
        self.lost: list[HostError] = []

    def look(self) -> _Seen:
        """Inspects once. Fails at once where the engine crashed: a lost host may be the cause."""
        outcomes = self._stage.fleet.each(self._ask)
        self.lost = errors_of(outcomes)
        self._fail_if_dead({name: status for name, status in outcomes.items() if isinstance(status, UnitStatus)})
        answers = all_of(outcomes)
        engine = answers[self._stage.head.name]
        loading = vllm_log.loading(self.engine.log)
        self._show(loading)
        for host, status in answers.items():
            self._stage.sink(HostActivity(host, self._reading(host, status.read)))
        read = sum(status.read for status in answers.values())
        return _Seen(engine, loading, read, self._loads.loads(read), vllm_log.moving_lines(self.engine.log))

    def _show(self, loading: vllm_log.Loading) -> None:
        if self._shards != (loading.shards, loading.of):
            self._shards = (loading.shards, loading.of)
            self._stage.sink(Progress("weights of rank 0", loading.shards, loading.of, "shards"))
        line = vllm_log.last_line(self.engine.log)
        if line != self._last_line:
            self._last_line = line
            self._stage.sink(LastLogLine(self.engine.host, self._stage.public(line)))

    def _reading(self, host: str, read: int) -> str:
        """The bytes that the units of a host have read, and their rate over the last inspections."""
        looks = self._read.setdefault(host, deque(maxlen=_LOOKS))
        looks.append((time.monotonic(), read))
        (since, at_first), (now, _) = looks[0], looks[-1]
        rate = (read - at_first) / 2**30 / (now - since) if now > since else 0.0
        return f"{read / 2**30:.1f} GiB read" + (f", {rate:.2f} GiB/s" if rate >= 0.01 else "")

    def _ask(self, host: Host) -> UnitStatus:
        if host.name == self._stage.head.name:
            return self.engine.look(self._url)
        return ray_status(self._stage, host)

    def _fail_if_dead(self, answers: dict[str, UnitStatus]) -> None:
        engine = answers.get(self._stage.head.name)
        if engine and is_dead(engine, self.engine.log):
            raise self._with_lost(crash_error(self._stage, self.engine, engine))
        for host, status in answers.items():
            if not status.alive:
                raise ray_loss_error(self._stage, host, status)

    def _with_lost(self, error: EngineDied) -> EngineDied:
        for lost in self.lost:
            error.add_note(f"{lost.host} does not answer: {lost.reason} ({lost.cure})")
        return error
