"""What a check is, what it reads, and the findings that it yields."""

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
    """All that is known of all hosts: what was seen, and the results of trials by host, where any were made.

    `fabric` is None where no all-reduce was measured, `plan` where none was computed.
    """

    seen: Observed
    trials: dict[str, TrialResults] = field(default_factory=dict)
    fabric: AllReduceResult | None = None
    plan: Plan | None = None

    @property
    def facts(self) -> dict[str, Facts]:
        """The facts of the hosts that could be looked at."""
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
    """Makes a finding without the name, which its check adds. `host` is only for checks of several hosts."""
    return Finding("", host, severity, found, wanted, why, cure, source)


blocking = partial(finding, "blocking")
warning = partial(finding, "warning")
unchecked = partial(finding, "unchecked")

Look = Callable[[Inventory, Evidence], Iterator[Finding]]


@dataclass(frozen=True)
class Check:
    """`name` is one of `cluster.values.CHECKS`; several functions may go by one name. `look` is pure.

    `needs` is the evidence without which nothing can be said: a first look, trials, hashes of files, an
    all-reduce, a plan of a model whose sizes are known, and one for GPUs whose memory is known as well.
    """

    name: str
    look: Look
    needs: Literal["seen", "tried", "hashed", "fabric", "planned", "weighed"] = "seen"

    def run(self, inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
        """Yields its findings under its name."""
        for nameless in self.look(inventory, evidence):
            yield replace(nameless, name=self.name)

    def has_evidence(self, evidence: Evidence) -> bool:
        """Whether what it needs is there at all."""
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
    """A check of each host by itself."""

    def look_at_each(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
        for host, facts in evidence.facts.items():
            for nameless in look(inventory, inventory.host(host), facts):
                yield replace(nameless, host=host)

    return Check(name, look_at_each)


def of_all(name: str, look: Callable[[dict[str, Facts]], Iterator[Finding]]) -> Check:
    """A check of what only all hosts together can show."""
    return Check(name, lambda _, evidence: look(evidence.facts))


def of_tried(name: str, look: Callable[[Inventory, HostSpec, TrialResults], Iterator[Finding]]) -> Check:
    """A check of what was tried on each host."""

    def look_at_each(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
        for host, trials in evidence.trials.items():
            for nameless in look(inventory, inventory.host(host), trials):
                yield replace(nameless, host=host)

    return Check(name, look_at_each, "tried")


def untried(name: str, result: Callable[[TrialResults], object], *, wanted: str, why: str) -> Check:
    """A check that names the hosts on which a trial could not be made; `result` reads its outcome."""

    def look(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
        error = result(trials)
        if isinstance(error, HostError):
            yield unchecked(f"{error.doing}: {error.reason}", wanted=wanted, why=why, cure=error.cure)

    return of_tried(name, look)
