"""The options of `down`."""

from __future__ import annotations

from orchestrator.cli.command import cluster_command
from orchestrator.cli.parameters import WAIT
from orchestrator.session.invocation import Invocation


@cluster_command("down", WAIT, example="down inventory.yaml")
def command(invocation: Invocation, wait: bool) -> None:
    """Stop the cluster, and verify that every GPU is released."""
    from orchestrator.commands.down import run

    run(invocation, wait=wait)
