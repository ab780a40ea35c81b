"""The transport that NCCL chose between the hosts. It is known a minute after launch, before the weights are
loaded."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.diagnosis.engine_failure import is_dead
from cluster.engine import nccl, vllm_log
from cluster.engine.unit_log import UnitLog
from cluster.errors import TimedOut
from cluster.values import NcclTransport
from orchestrator.events import HostMessage, TransportDetected
from orchestrator.run.phase import Phase, Situation, Stage, Waits


@dataclass(frozen=True)
class _Seen:
    transport: NcclTransport
    settled: bool
    loading: vllm_log.Loading

    def __str__(self) -> str:
        return f"vLLM is {self.loading}"


class DetectTransport(Phase):
    title = "Learn the transport"
    waits = Waits("the transport that NCCL chose", lambda patience: patience.transport, progress=True)
    acts = False

    def skip(self, situation: Situation) -> str | None:
        return None if situation.inventory.uses_ray else "one host needs no transport between hosts"

    def run(self, stage: Stage) -> None:
        """Raises NotReady on NET/Socket where the inventory refuses it. A crashed engine is judged by a later
        phase."""
        transport = self._wait(stage)
        stage.sink(TransportDetected(transport))
        if transport.kind == "unknown":
            stage.sink(HostMessage("", "the transport is unknown: NCCL logged no line on any rank"))
        else:
            nccl.refuse_slow(stage.inventory, transport)
        if transport.kind == "NET/Socket":
            message = f"NCCL uses NET/Socket ({transport.evidence})"
            stage.sink(HostMessage("", message, "warning", nccl.SLOW))

    def _wait(self, stage: Stage) -> NcclTransport:
        """Reports an unknown transport of a slow engine as unknown, not as a failure."""
        engine = stage.engine()
        try:
            return stage.until(
                self.waits.what,
                lambda: _look(stage, engine),
                lambda seen: seen.settled,
                self.waits.patience(stage.patience),
                lambda seen: seen.loading,
            ).transport
        except TimedOut:
            return NcclTransport("unknown")


def _look(stage: Stage, engine: UnitLog) -> _Seen:
    """Whether the wait is over. It is also over without NCCL, after a crash of the engine, and once weights are
    loaded. A crash is seen before a lost host, which may be its cause."""
    dead = is_dead(engine.look(), engine.log)
    over = dead or vllm_log.loaded(engine.log)
    chosen = nccl.transport_of_engine(() if dead else stage.nccl_lines(), engine.log)
    return _Seen(chosen, chosen.kind != "unknown" or over, vllm_log.loading(engine.log))
