"""The definition of a check, the evidence that it reads, and the findings that it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from cluster.errors import HostError
from cluster.inventory import HostSpec, Inventory
from cluster.plan.results import Plan
from cluster.values import AllReduceResult, Facts, Finding, Severity
from cluster.views import Observed, TrialResults


@dataclass(frozen=True)
class Evidence:
    """The evidence of all hosts: the facts that were read, and the results of trials by host, where trials ran.

    `fabric` is None where no all-reduce was measured, `plan` where no plan was computed.
    """

    seen: Observed
    trials: dict[str, TrialResults] = field(default_factory=dict)
    fabric: AllReduceResult | None = None
    plan: Plan | None = None

    @property
    def facts(self) -> dict[str, Facts]:
        """Returns the facts of the hosts that answered."""
        return {name: view.facts for name, view in self.seen.items() if view.facts}


def finding(
    severity: Severity,
    found: str,
    *,
    wanted: str = "",
    why: str = "",
    cure: str = "",
    source: str = "",
    host: str = "",
) -> Finding:
    """Returns a finding without its name, which its check adds. `host` is only for checks of several hosts."""
    return Finding("", host, severity, found, wanted, why, cure, source)


blocking = partial(finding, "blocking")
warning = partial(finding, "warning")
unchecked = partial(finding, "unchecked")

Look = Callable[[Inventory, Evidence], Iterator[Finding]]


@dataclass(frozen=True)
class Check:
    """One check: `name` is one of `cluster.values.CHECKS`; several functions may share a name. `look` is pure.

    `needs` is the evidence without which the check has no result: facts, trials, hashes of files, an all-reduce,
    or a plan. `planned` is a plan of a model of known size; `weighed` also knows the memory of the GPUs.
    """

    name: str
    look: Look
    needs: Literal["seen", "tried", "hashed", "fabric", "planned", "weighed"] = "seen"

    def run(self, inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
        """Yields the findings under the check's name."""
        for nameless in self.look(inventory, evidence):
            yield replace(nameless, name=self.name)

    def has_evidence(self, evidence: Evidence) -> bool:
        """Returns whether the evidence that the check needs exists."""
        match self.needs:
            case "seen":
                return bool(evidence.facts)
            case "tried":
                return bool(evidence.trials)
            case "hashed":
                return any(isinstance(each.hashes, dict) and each.hashes for each in evidence.trials.values())
            case "planned":
                return evidence.plan is not None and evidence.plan.fit is not None
            case "weighed":
                fit = evidence.plan.fit if evidence.plan else None
                return fit is not None and fit.fits is not None
        return evidence.fabric is not None


def of_each(name: str, look: Callable[[Inventory, HostSpec, Facts], Iterator[Finding]]) -> Check:
    """Returns a check that looks at each host alone."""

    def look_at_each(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
        for host, facts in evidence.facts.items():
            for nameless in look(inventory, inventory.host(host), facts):
                yield replace(nameless, host=host)

    return Check(name, look_at_each)


def of_all(name: str, look: Callable[[dict[str, Facts]], Iterator[Finding]]) -> Check:
    """Returns a check that compares all hosts."""
    return Check(name, lambda _, evidence: look(evidence.facts))


def of_tried(name: str, look: Callable[[Inventory, HostSpec, TrialResults], Iterator[Finding]]) -> Check:
    """Returns a check of the trial results of each host."""

    def look_at_each(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
        for host, trials in evidence.trials.items():
            for nameless in look(inventory, inventory.host(host), trials):
                yield replace(nameless, host=host)

    return Check(name, look_at_each, "tried")


def untried(name: str, result: Callable[[TrialResults], object], *, wanted: str, why: str) -> Check:
    """Returns a check that names the hosts on which a trial could not run. `result` reads the outcome of the
    trial."""

    def look(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
        error = result(trials)
        if isinstance(error, HostError):
            yield unchecked(f"{error.doing}: {error.reason}", wanted=wanted, why=why, cure=error.cure)

    return of_tried(name, look)
