"""The options of `bench report`."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.command import results_command

_FOLDER = click.Path(path_type=Path, file_okay=False)
FOLDERS = click.Argument(
    ["folders"], nargs=-1, required=True, metavar="DIR...", type=_FOLDER, help="Results directories of `bench`."
)
TO = click.Option(
    ["--to"],
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file of the page (default: report.html in the first DIR).",
)


@results_command(
    "bench report", FOLDERS, TO, forms=("html", "json", "csv", "markdown"), example="bench report bench-demo"
)
def command(folders: tuple[Path, ...], to: Path | None, form: str) -> None:
    """Write one page with results and plots. It needs no network."""
    from orchestrator.commands.bench_report import run

    run(folders, to=to, form=form)
