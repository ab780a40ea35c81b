"""`down`: takes the cluster away, and proves that everything is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from typing_extensions import TypedDict

from cluster.inventory import Inventory
from orchestrator.outcome.output import print_result
from orchestrator.plans import down
from orchestrator.session.invocation import Invocation
from orchestrator.session.removed_hosts import removed_hosts, teardown
from orchestrator.session.session import session


def run(invocation: Invocation, *, wait: bool) -> None:
    """Raises NotReleased for removed hosts as well."""
    with session(invocation) as opened:
        removed = removed_hosts(opened.settings.state, opened.inventory)
        opened.run(down(removed, teardown(opened)), wait=wait)
        opened.local_state.forget()
        gone = _gone(opened.inventory)
    print_result(invocation.output, lambda: gone["text"], lambda: gone)


class DownDocument(TypedDict):
    """A cluster of which nothing is left; `text` is the sentence of the plain output."""

    cluster: str
    hosts: Sequence[str]
    free: Literal[True]
    text: str


def _gone(inventory: Inventory) -> DownDocument:
    hosts = [spec.name for spec in inventory.hosts]
    text = f"{inventory.cluster} is down: nothing is left on {', '.join(hosts)}"
    return {"cluster": inventory.cluster, "hosts": hosts, "free": True, "text": text}
