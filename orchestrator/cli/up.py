"""The options of `up`."""

from __future__ import annotations

import click

from orchestrator.cli.command import cluster_command
from orchestrator.cli.parameters import NEW_INVENTORY, SKIP, WAIT, flag
from orchestrator.session.invocation import Invocation


@cluster_command(
    "up",
    flag("--keep", "On failure, keep everything running for inspection."),
    flag("--restart", "Launch vLLM again, even if it runs with this configuration."),
    flag("--recreate", "Launch everything again, Ray as well."),
    flag("--yes", "Stop what another operator launched, without a question."),
    SKIP,
    WAIT,
    target=NEW_INVENTORY,
    example="up inventory.yaml",
)
def command(
    invocation: Invocation,
    keep: bool,
    restart: bool,
    recreate: bool,
    yes: bool,
    skip: tuple[str, ...],
    wait: bool,
) -> None:
    """Bring the cluster up, and announce the endpoint after it generates a token."""
    if restart and recreate:
        raise click.UsageError("--recreate: not allowed with --restart", click.get_current_context())
    from orchestrator.commands.up import run

    run(
        invocation,
        keep=keep,
        renew="all" if recreate else "vllm" if restart else None,
        yes=yes,
        skip=skip,
        wait=wait,
    )
