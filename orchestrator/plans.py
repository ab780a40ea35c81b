"""The table of contents of the program. The engine observes every host before the first phase, and after each
phase that acted."""

from __future__ import annotations

from orchestrator.phases.acquire_lease import Lock
from orchestrator.phases.detect_transport import LearnTransport
from orchestrator.phases.launch_vllm import Serve
from orchestrator.phases.preflight import Preflight
from orchestrator.phases.ray import JoinWorkers, StartHead
from orchestrator.phases.removed_hosts import Former
from orchestrator.phases.smoke_test import Prove
from orchestrator.phases.stop import StopRay, StopVllm
from orchestrator.phases.stop_outdated import Clear
from orchestrator.phases.verify_gpus import Gate
from orchestrator.phases.verify_released import Free
from orchestrator.phases.wait_ready import Ready
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
