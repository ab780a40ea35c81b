"""The options of `exec`."""

from __future__ import annotations

import click

from orchestrator.cli.argument_types import Parsed, seconds
from orchestrator.cli.command import Command, cluster_command
from orchestrator.cli.parameters import PLACES
from orchestrator.session.invocation import Invocation

TIMEOUT = click.Option(
    ["--timeout"],
    type=Parsed("SECONDS", seconds),
    default=600.0,
    help="End the command after that time (default: 600).",
)


class _Exec(Command):
    """Words behind `--` are those of the command on the hosts, and are not read here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:end])
        ctx.params["words"] = tuple(args[end + 1 :]) if "--" in args else None
        if not ctx.params["words"] and not ctx.resilient_parsing:
            raise click.UsageError("the command to run is missing: write it behind `--`", ctx)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "-- CMD..."]


@cluster_command("exec", TIMEOUT, target=PLACES, kind=_Exec, example="exec gpu-a gpu-b -- nvidia-smi -L")
def command(invocation: Invocation, hosts: tuple[str, ...], timeout: float, words: tuple[str, ...]) -> int:
    """Run a command on the hosts, with the venv first on PATH."""
    from orchestrator.commands.execute import run

    return run(invocation, hosts=hosts, timeout=timeout, words=words)
