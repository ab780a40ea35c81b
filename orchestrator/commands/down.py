"""`down`: takes the cluster away, and proves that everything is free."""

from __future__ import annotations

from typing import Any

from cluster.errors import NotReleased
from orchestrator.cli.output import say
from orchestrator.local.settings import Settings
from orchestrator.phases.removed_hosts import CleanRemovedHosts
from orchestrator.plans import DOWN
from orchestrator.session.removed_hosts import leaving
from orchestrator.session.session import Request, Session, session


def run(request: Request, settings: Settings) -> None:
    """Raises NotReleased for hosts that have left the inventory as well."""
    with session(request, settings) as one:
        former = leaving(one)
        one.run([former if isinstance(phase, CleanRemovedHosts) else phase for phase in DOWN])
        if former.left:
            raise NotReleased(former.left)
        one.memory.forget()
        gone = _gone(one)
    say(request, lambda: gone["text"], lambda: gone)


def _gone(one: Session) -> dict[str, Any]:
    hosts = [spec.name for spec in one.inventory.hosts]
    text = f"{one.inventory.cluster} is down: nothing of it is left on {', '.join(hosts)}"
    return {"cluster": one.inventory.cluster, "hosts": hosts, "free": True, "text": text}
