"""The table of contents of the program. The engine observes every host before the first phase, and after each
phase that acted."""

from __future__ import annotations

from orchestrator.phases.announce import Prove
from orchestrator.phases.clear import Clear
from orchestrator.phases.former import Former
from orchestrator.phases.free import Free
from orchestrator.phases.gate import Gate
from orchestrator.phases.lock import Lock
from orchestrator.phases.preflight import Preflight
from orchestrator.phases.ray import JoinWorkers, StartHead
from orchestrator.phases.ready import Ready
from orchestrator.phases.serve import Serve
from orchestrator.phases.stop import StopRay, StopVllm
from orchestrator.phases.transport import LearnTransport
from orchestrator.run.phase import Phase

UP: tuple[Phase, ...] = (
    Preflight(),
    Lock(),
    Former(),
    Clear(),
    StartHead(),
    JoinWorkers(),
    Gate(),
    Serve(),
    LearnTransport(),
    Ready(),
    Prove(),
)

DOWN: tuple[Phase, ...] = (
    Lock(),
    StopVllm(),
    StopRay(),
    Former(),
    Free(),
)
