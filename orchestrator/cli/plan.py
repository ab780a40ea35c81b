"""The options of `plan`."""

from __future__ import annotations

from orchestrator.cli.command import cluster_command
from orchestrator.cli.parameters import flag
from orchestrator.session.invocation import Invocation


@cluster_command(
    "plan",
    flag("--hosts", "Read GPUs, the model and vLLM's options from the hosts. It takes half a minute."),
    example="plan inventory.yaml",
)
def command(invocation: Invocation, hosts: bool) -> int:
    """Compute whether the model fits, and print what `up` would run. Nothing is started."""
    from orchestrator.commands.plan import run

    return run(invocation, ask_hosts=hosts)
