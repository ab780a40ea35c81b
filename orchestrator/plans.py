"""The table of contents of the program: which phases a command runs, in order, and what each is given.

The engine observes every host before the first phase, and after each phase that acted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.bench.workload import Cell
from cluster.inventory import Inventory
from cluster.state.desired import Renew
from orchestrator.bench.results import Results
from orchestrator.phases.acquire_lease import AcquireLease
from orchestrator.phases.bench_target import CheckBenchTarget
from orchestrator.phases.detect_transport import DetectTransport
from orchestrator.phases.launch_vllm import LaunchVllm, Restart
from orchestrator.phases.measure import Measure
from orchestrator.phases.preflight import Preflight
from orchestrator.phases.ray import JoinWorkers, StartHead
from orchestrator.phases.removed_hosts import CleanRemovedHosts, Teardown
from orchestrator.phases.require_idle import RequireIdle
from orchestrator.phases.smoke_test import SmokeTest
from orchestrator.phases.stop import StopRay, StopVllm
from orchestrator.phases.stop_outdated import StopOutdated
from orchestrator.phases.verify_gpus import VerifyGpus
from orchestrator.phases.verify_released import VerifyReleased
from orchestrator.phases.wait_ready import WaitReady
from orchestrator.run.consent import Consent
from orchestrator.run.phase import Phase


@dataclass(frozen=True)
class UpOptions:
    """`lease_taken` is called once the lease is ours. `removed` are hosts that left the inventory, each alone, and
    `teardown` is how they are cleaned. `renew` is what is launched anew although it runs as wanted, and `consent`
    is asked before what others launched is stopped."""

    lease_taken: Callable[[], None] = lambda: None
    removed: Sequence[Inventory] = ()
    teardown: Teardown | None = None
    renew: Renew = None
    consent: Consent | None = None


def up(options: UpOptions) -> tuple[Phase, ...]:
    return (
        Preflight(),
        AcquireLease(options.lease_taken, recheck=True),
        CleanRemovedHosts(options.removed, options.teardown),
        StopOutdated(options.renew, options.consent),
        *_start(),
    )


def _start() -> tuple[Phase, ...]:
    return (
        StartHead(),
        JoinWorkers(),
        VerifyGpus(),
        LaunchVllm(),
        DetectTransport(),
        WaitReady(),
        SmokeTest(ports=True),
    )


def down(removed: Sequence[Inventory] = (), teardown: Teardown | None = None) -> tuple[Phase, ...]:
    """`removed` and `teardown` as for `up`."""
    return (
        AcquireLease(needed=False),
        StopVllm(),
        StopRay(),
        CleanRemovedHosts(removed, teardown),
        VerifyReleased(),
    )


@dataclass(frozen=True)
class BenchOptions:
    """`cells` are measured in order into `results`; `scratch` is a private folder of this machine."""

    cells: Sequence[Cell]
    results: Results
    scratch: Path


def bench(options: BenchOptions) -> tuple[Phase, ...]:
    return (AcquireLease(), *_measure(options))


def bench_layout(
    options: BenchOptions, lease_taken: Callable[[], None], idle: Callable[[], None]
) -> tuple[Phase, ...]:
    """`up` on idle hosts, then the benchmark. `idle` is called once the hosts are known to be idle."""
    return (
        AcquireLease(lease_taken),
        RequireIdle(idle),
        Preflight(),
        CleanRemovedHosts(),
        StopOutdated(),
        *_start(),
        *_measure(options),
    )


def _measure(options: BenchOptions) -> tuple[Phase, ...]:
    cells, results = options.cells, options.results
    target = CheckBenchTarget([cell.workload for cell in cells], results)
    return (target, SmokeTest(), *(phase for cell in cells for phase in _measure_cell(cell, options)))


def _measure_cell(cell: Cell, options: BenchOptions) -> tuple[Phase, ...]:
    measure = Measure(cell, options.cells, options.results, options.scratch)
    restarts = options.results.settings.cold == "restart" and not options.results.valid(cell)
    return (Restart(), WaitReady(), SmokeTest(), measure) if restarts else (measure,)
