"""`unlock`: breaks the lease of another operator, who sees who did it and why."""

from __future__ import annotations

from typing_extensions import TypedDict

from cluster.errors import Unreachable
from cluster.lease.lease import break_lease
from cluster.state.observe import observe
from cluster.values import Lease
from orchestrator.local import operator
from orchestrator.outcome.output import print_result
from orchestrator.render.text import clean
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import Session, session


class UnlockDocument(TypedDict):
    """The lease that was broken; null if no operator held the cluster."""

    cluster: str
    broken: Lease | None


def run(invocation: Invocation, *, reason: str) -> None:
    with session(invocation, journaled=False) as opened:
        broken = _broken(opened, reason)
        cluster = opened.inventory.cluster
    document: UnlockDocument = {"cluster": cluster, "broken": broken}
    print_result(invocation.output, lambda: _text(cluster, broken), lambda: document)


def _broken(opened: Session, reason: str) -> Lease | None:
    """The folder of the lease is known to the head alone: it depends on the user there."""
    head = opened.fleet[opened.inventory.head.name]
    view = observe(opened.inventory, opened.fleet.subset([head.name]))[head.name]
    if view.facts is None:
        raise view.problem or Unreachable(head.name, "read the facts of the host")
    by = operator.lease(reason)
    return break_lease(head, view.facts.state, opened.inventory.runtime.venv, by)


def _text(cluster: str, broken: Lease | None) -> str:
    if broken is None:
        return f"no operator holds {cluster}"
    who = f"{broken.owner} on {broken.machine} since {broken.since}: {broken.reason}"
    return f"{cluster} was held by {clean(who)}: broken"
