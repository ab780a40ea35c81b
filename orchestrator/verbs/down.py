"""`down`: takes the cluster away, and proves that everything is free."""

from __future__ import annotations

from typing import Any

from orchestrator.outcome import say
from orchestrator.plans import DOWN
from orchestrator.session import Request, Session, session
from orchestrator.settings import Settings


def run(request: Request, settings: Settings) -> None:
    with session(request, settings) as one:
        one.run(DOWN)
        one.forget()
        gone = _gone(one)
    say(request, lambda: gone["text"], lambda: gone)


def _gone(one: Session) -> dict[str, Any]:
    hosts = [spec.name for spec in one.inventory.hosts]
    text = f"{one.inventory.cluster} is down: nothing of it is left on {', '.join(hosts)}"
    return {"cluster": one.inventory.cluster, "hosts": hosts, "free": True, "text": text}
