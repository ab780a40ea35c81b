"""The options of `bench compare`."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.command import results_command

_FOLDER = click.Path(path_type=Path, file_okay=False)
FOLDERS = click.Argument(["folders"], nargs=2, metavar="A B", type=_FOLDER, help="Results directories of `bench`.")


@results_command(
    "bench compare", FOLDERS, forms=("plain", "json", "markdown"), example="bench compare bench-a bench-b"
)
def command(folders: tuple[Path, Path], form: str) -> None:
    """Compare two results directories run by run, and report which differences are significant."""
    from orchestrator.commands.bench_compare import run

    run(folders, form=form)
