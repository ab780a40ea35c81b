"""The options of `status`."""

from __future__ import annotations

from orchestrator.cli.command import cluster_command
from orchestrator.cli.parameters import flag
from orchestrator.session.invocation import Invocation


@cluster_command(
    "status",
    flag("--watch", "Repeat it until Ctrl-C."),
    example="status inventory.yaml --watch",
)
def command(invocation: Invocation, watch: bool) -> None:
    """Show what runs on each host, and whether the endpoint generates tokens."""
    from orchestrator.commands.status import run

    run(invocation, watch=watch)
