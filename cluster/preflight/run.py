"""The sequence of preflight, which `check` and `up` share, and the error that refuses a start."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from cluster.errors import ClusterError, FleetError, HostError, PreflightFailed, Unreachable
from cluster.inventory import Inventory
from cluster.plan import expected
from cluster.preflight.check import Evidence
from cluster.preflight.report import report
from cluster.probes import active_checks, all_reduce
from cluster.state.desired import vllm_runs
from cluster.transport.fleet import Fleet
from cluster.values import CheckReport, Finding, Presence, UnitState
from cluster.views import Observed


def before_start(inventory: Inventory, fleet: Fleet, observed: Observed, skip: Collection[str]) -> CheckReport:
    """Runs the checks before a start, and ends after the first blocking step: the slowest step comes last.

    A running vLLM that is not outdated needs no trials: only a start needs them.
    """
    for evidence in _steps(inventory, fleet, observed, measure=inventory.preflight.fabric is not None):
        result = report(inventory, evidence, skip)
        if result.blocking or vllm_runs(inventory, observed):
            break
    return result


def everything(
    inventory: Inventory, fleet: Fleet, observed: Observed, skip: Collection[str], *, deep: bool, measure: bool
) -> CheckReport:
    """Runs every trial, whatever the others showed.

    `deep` hashes the model's files, `measure` runs an all-reduce.
    """
    *_, evidence = _steps(inventory, fleet, observed, deep=deep, measure=measure)
    return report(inventory, evidence, skip)


def _steps(
    inventory: Inventory, fleet: Fleet, observed: Observed, *, deep: bool = False, measure: bool
) -> Iterator[Evidence]:
    """Yields the evidence after each step: after the facts, after the trials, after an all-reduce."""
    plan = None if vllm_runs(inventory, observed) else expected(inventory, observed)
    evidence = Evidence(observed, plan=plan)
    yield evidence
    evidence = replace(evidence, trials=active_checks.run(inventory, fleet, observed, deep))
    yield evidence
    # An all-reduce needs every host, and GPUs that no vLLM of this cluster uses.
    if measure and all(view.facts and not _has_gpus(view.vllm) for view in observed.values()):
        yield replace(evidence, fabric=all_reduce.measure(inventory, fleet, observed))


def _has_gpus(vllm: UnitState) -> bool:
    """Returns whether a vLLM holds the GPUs. A vLLM that has exited may leave only its record."""
    return vllm.presence is Presence.ALIVE or bool(vllm.pids)


def obstacle(result: CheckReport, observed: Observed) -> ClusterError | None:
    """Returns the error that refuses a start: the unreachable hosts if nothing else is blocking, else all
    findings."""
    errors = [_lost(finding, observed) for finding in result.blocking]
    lost = [error for error in errors if error is not None]
    if not errors:
        return None
    if len(lost) < len(errors):
        return PreflightFailed(result.findings)
    return lost[0] if len(lost) == 1 else FleetError(lost)


def _lost(finding: Finding, observed: Observed) -> HostError | None:
    error = observed[finding.host].problem if finding.name == "reachable" else None
    return error if isinstance(error, Unreachable) else None
