"""The group `bench`, and the options of `bench` itself."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.bench_matrix import MATRIX, bench_arguments
from orchestrator.cli.command import Command, cluster_command
from orchestrator.cli.groups import FallingGroup
from orchestrator.session.invocation import Invocation


class _Bench(Command):
    """The benchmark itself. Its help has the commands of the group as well."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        command.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


@cluster_command("bench", *MATRIX, kind=_Bench, example="bench inventory.yaml --workload prompt-heavy")
def bench(invocation: Invocation, **matrix: Any) -> int:
    """Run the published benchmark against the endpoint, each run with a cold cache."""
    from orchestrator.commands.bench import run

    return run(invocation, bench_arguments(**matrix))


command = FallingGroup(
    bench,
    name="bench",
    sections={"Results and layouts": ("report", "compare", "layouts")},
    prefix="bench_",
    example="bench report bench-demo",
)
