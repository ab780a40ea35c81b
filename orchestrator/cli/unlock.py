"""The options of `unlock`."""

from __future__ import annotations

import click

from orchestrator.cli.command import cluster_command
from orchestrator.session.invocation import Invocation

REASON = click.Option(["--reason"], metavar="WHY", required=True, help="It is shown to the holder of the lease.")


@cluster_command("unlock", REASON, example='unlock --reason "bob has left"')
def command(invocation: Invocation, reason: str) -> None:
    """Break the lease of another operator on the cluster."""
    from orchestrator.commands.unlock import run

    run(invocation, reason=reason)
