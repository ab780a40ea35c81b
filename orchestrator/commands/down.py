"""`down`: takes the cluster away, and proves that everything is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from typing_extensions import TypedDict

from cluster.inventory import Inventory
from orchestrator.local.settings import Settings
from orchestrator.outcome.output import print_result
from orchestrator.plans import down
from orchestrator.session.removed_hosts import removed_hosts, teardown
from orchestrator.session.session import Request, session


def run(request: Request, settings: Settings) -> None:
    """Raises NotReleased for removed hosts as well."""
    with session(request, settings) as opened:
        opened.run(down(removed_hosts(settings.state, opened.inventory), teardown(opened)))
        opened.local_state.forget()
        gone = _gone(opened.inventory)
    print_result(request, lambda: gone["text"], lambda: gone)


class DownDocument(TypedDict):
    """A cluster of which nothing is left; `text` says so to a person."""

    cluster: str
    hosts: Sequence[str]
    free: Literal[True]
    text: str


def _gone(inventory: Inventory) -> DownDocument:
    hosts = [spec.name for spec in inventory.hosts]
    text = f"{inventory.cluster} is down: nothing is left on {', '.join(hosts)}"
    return {"cluster": inventory.cluster, "hosts": hosts, "free": True, "text": text}
