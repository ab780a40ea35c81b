"""Arguments and options that several commands have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from orchestrator.cli import completion
from orchestrator.cli.argument_types import Parsed, check_name


def _show(context: click.Context, text: str) -> None:
    """Prints a text that was asked for, and ends the program: with an error where the text is lost."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        context.exit()
    except OSError as error:
        from orchestrator.outcome.exit_codes import FAULT
        from orchestrator.outcome.output import print_error
        from orchestrator.outcome.result import lost

        print_error(lost(error))
        context.exit(FAULT)
    context.exit()


def _help(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        _show(context, context.get_help())


def _version(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        from orchestrator.local.version import version

        _show(context, version())


def flag(name: str, help: str) -> click.Option:
    return click.Option([name], is_flag=True, help=help)


def _at_once(names: list[str], callback: Callable[..., None], help: str) -> click.Option:
    return click.Option(names, is_flag=True, is_eager=True, expose_value=False, callback=callback, help=help)


HELP = _at_once(["-h", "--help"], _help, "Show this help.")
VERSION = _at_once(["--version"], _version, "Show the version.")
INVENTORY = click.Argument(
    ["inventory"],
    type=click.Path(path_type=Path),
    required=False,
    help="The inventory file (default: the last used).",
)
NEW_INVENTORY = click.Argument(["inventory"], type=click.Path(path_type=Path), help="The inventory file.")
PLACES = click.Argument(
    ["places"],
    nargs=-1,
    metavar="[INVENTORY] [HOST]...",
    shell_complete=completion.places,
    help="The inventory file (default: the last used), and hosts (default: all).",
)
CLUSTER = click.Option(
    ["--cluster"],
    metavar="NAME",
    shell_complete=completion.clusters,
    help="The cluster, if this machine has used several.",
)
OUTPUT = click.Option(
    ["--output"],
    type=click.Choice(("auto", "live", "plain", "json")),
    help="How to show it. json: the result on stdout, and events as JSON lines on stderr.",
)
WAIT = flag("--wait", "Wait while another operator holds the lease of the cluster.")
SKIP = click.Option(
    ["--skip"],
    type=Parsed("CHECK", check_name),
    multiple=True,
    help="Ignore the findings of this check. Give it once for each check.",
)
