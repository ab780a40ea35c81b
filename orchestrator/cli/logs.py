"""The options of `logs`."""

from __future__ import annotations

from typing import Literal

import click

from orchestrator.cli.argument_types import Parsed, from_zero
from orchestrator.cli.command import cluster_command
from orchestrator.cli.parameters import PLACES, flag
from orchestrator.session.invocation import Invocation

UNIT = click.Option(
    ["--unit", "units"],
    type=click.Choice(("ray", "vllm", "ranks")),
    multiple=True,
    help="Print these logs alone. ranks: the files of Ray's workers and of NCCL. Give it once for each unit.",
)
LINES = click.Option(
    ["--lines"], type=Parsed("N", from_zero), default=200, help="The last N lines of each file (default: 200)."
)


@cluster_command(
    "logs",
    UNIT,
    LINES,
    flag("--follow", "Print new lines until Ctrl-C."),
    target=PLACES,
    example="logs gpu-b --unit ranks --follow",
)
def command(
    invocation: Invocation,
    hosts: tuple[str, ...],
    units: tuple[Literal["ray", "vllm", "ranks"], ...],
    lines: int,
    follow: bool,
) -> int:
    """Print the logs of Ray, vLLM and the ranks from the hosts."""
    from orchestrator.commands.logs import run

    return run(invocation, hosts=hosts, units=units, lines=lines, follow=follow)
