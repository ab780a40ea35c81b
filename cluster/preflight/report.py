"""All checks over all hosts, and the findings that are excused."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cluster.errors import HostError
from cluster.inventory import HostSpec, Inventory, ssh_command
from cluster.preflight import all_reduce, gpus, hardware, links, machine, model, network, rdma, software
from cluster.preflight.check import Check, Evidence, blocking
from cluster.values import CHECKS, CheckReport, Excused, Finding


def _reachable(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    for name, view in evidence.seen.items():
        if view.problem:
            yield _unseen(inventory.host(name), view.problem)


def _unseen(spec: HostSpec, problem: HostError) -> Finding:
    reason = f"{problem.doing}: {problem.reason}"
    cure = problem.cure or f"try the connection: `{ssh_command(spec, 'true')}`"
    return blocking(reason, host=spec.name, wanted="an answer over SSH", cure=cure)


_CONCERNS = (gpus, hardware, software, network, links, rdma, machine, model, all_reduce)

ALL: tuple[Check, ...] = (Check("reachable", _reachable), *(check for part in _CONCERNS for check in part.CHECKS))


def report(inventory: Inventory, evidence: Evidence, skip: Collection[str] = ()) -> CheckReport:
    """Returns every finding of every host. A host that did not answer has one finding, which is blocking.

    `skip` are the names of checks that do not count in this run.
    """
    findings = [finding for check in ALL for finding in check.run(inventory, evidence)]
    findings.sort(key=lambda finding: CHECKS.index(finding.name))
    excuses = [(finding, excuse(inventory, finding, skip)) for finding in findings]
    tripped = {finding.name for finding in findings}
    there = {check.name for check in ALL}
    blind = {check.name for check in ALL if not check.has_evidence(evidence)}
    looked = [name for name in CHECKS if name in there - blind]
    return CheckReport(
        findings=tuple(finding for finding, reason in excuses if not reason),
        excused=tuple(Excused(finding, reason) for finding, reason in excuses if reason),
        passed=tuple(name for name in looked if name not in tripped and name not in skip),
        skipped=tuple(name for name in CHECKS if name in skip),
        untried=tuple(name for name in CHECKS if name not in looked and name not in tripped),
    )


def excuse(inventory: Inventory, finding: Finding, skip: Collection[str]) -> str:
    """Returns the reason why a finding does not count; empty where it counts."""
    if finding.name in skip:
        return "skipped in this run"
    for accepted in inventory.preflight.accept:
        if accepted.check == finding.name and (not accepted.hosts or finding.host in accepted.hosts):
            return accepted.reason
    return ""
