"""Which transport NCCL chose between the hosts: known a minute after launch, before the weights are loaded."""

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
        """Raises NotReady on NET/Socket where the inventory refuses it. A dead engine is not judged here."""
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
        """An engine that takes its time is no failure here: the transport is then not known yet."""
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
    """Settled as well once there is nothing to wait for: no NCCL, a dead engine, weights already loaded. An engine
    that died is seen before a host that is lost, which it may have died of."""
    dead = is_dead(engine.look(), engine.log)
    over = dead or vllm_log.loaded(engine.log)
    chosen = nccl.transport_of_engine(() if dead else stage.nccl_lines(), engine.log)
    return _Seen(chosen, chosen.kind != "unknown" or over, vllm_log.loading(engine.log))
