"""The table of contents of the program. The engine observes every host before the first phase, and after each
phase that acted."""

from __future__ import annotations

from orchestrator.phases.acquire_lease import AcquireLease
from orchestrator.phases.detect_transport import DetectTransport
from orchestrator.phases.launch_vllm import LaunchVllm
from orchestrator.phases.preflight import Preflight
from orchestrator.phases.ray import JoinWorkers, StartHead
from orchestrator.phases.removed_hosts import CleanRemovedHosts
from orchestrator.phases.smoke_test import SmokeTest
from orchestrator.phases.stop import StopRay, StopVllm
from orchestrator.phases.stop_outdated import StopOutdated
from orchestrator.phases.verify_gpus import VerifyGpus
from orchestrator.phases.verify_released import VerifyReleased
from orchestrator.phases.wait_ready import WaitReady
from orchestrator.run.phase import Phase

UP: tuple[Phase, ...] = (
    Preflight(),
    AcquireLease(),
    CleanRemovedHosts(),
    StopOutdated(),
    StartHead(),
    JoinWorkers(),
    VerifyGpus(),
    LaunchVllm(),
    DetectTransport(),
    WaitReady(),
    SmokeTest(),
)

DOWN: tuple[Phase, ...] = (
    AcquireLease(),
    StopVllm(),
    StopRay(),
    CleanRemovedHosts(),
    VerifyReleased(),
)
