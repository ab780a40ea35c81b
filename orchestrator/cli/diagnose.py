"""The options of `diagnose`."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.command import cluster_command
from orchestrator.session.invocation import Invocation

#: `--output` is how a result is shown, with every command.
TO = click.Option(
    ["--to"],
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The file, or a folder for it (default: the current folder).",
)


@cluster_command("diagnose", TO, example="diagnose inventory.yaml --to /tmp")
def command(invocation: Invocation, to: Path | None) -> int:
    """Collect logs and facts of all hosts in one file, without secrets."""
    from orchestrator.commands.diagnose import run

    return run(invocation, to=to)
