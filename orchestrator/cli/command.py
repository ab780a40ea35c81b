"""What a command on the command line is made of."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.argument_types import inventory_and_hosts
from orchestrator.cli.carry_out import carry_out
from orchestrator.cli.parameters import CLUSTER, HELP, INVENTORY, NEW_INVENTORY, OUTPUT
from orchestrator.session.invocation import Invocation

if TYPE_CHECKING:
    from orchestrator.local.settings import Output

#: Imports the work and does it. Returns the exit code, None for 0; raises ClusterError.
Work = Callable[..., int | None]


class Command(click.Command):
    """A command whose help ends with an example."""

    def __init__(self, *, example: str, **more: Any) -> None:
        super().__init__(add_help_option=False, epilog=f"Example: orchestrator {example}", **more)
        self.params.append(HELP)


def cluster_command(
    name: str,
    *params: click.Parameter,
    example: str,
    target: click.Argument = INVENTORY,
    kind: type[Command] = Command,
) -> Callable[[Work], click.Command]:
    """Makes a command on a cluster. The work gets an Invocation, `params`, and the hosts of PLACES."""

    def decorate(work: Work) -> click.Command:
        def callback(
            output: Output | None,
            inventory: Path | None = None,
            cluster: str | None = None,
            places: tuple[str, ...] | None = None,
            **given: Any,
        ) -> int:
            if places is not None:
                inventory, given["hosts"] = inventory_and_hosts(places)
            return carry_out(
                output, lambda settings: work(Invocation(name, inventory, cluster, settings), **given)
            )

        shared = (OUTPUT,) if target is NEW_INVENTORY else (CLUSTER, OUTPUT)
        every = [target, *params, *shared]
        return kind(name=name, callback=callback, params=every, help=getdoc(work), example=example)

    return decorate


def results_command(
    name: str, *params: click.Parameter, forms: tuple[str, ...], example: str
) -> Callable[[Work], click.Command]:
    """Makes a command on results folders: the work gets the `form` of its result, and `params`."""
    text = f"The form of the result (default: {forms[0]})."
    output = click.Option(["--output", "form"], type=click.Choice(forms), default=forms[0], help=text)

    def decorate(work: Work) -> click.Command:
        def callback(form: str, **given: Any) -> int:
            return carry_out("json" if form == "json" else None, lambda settings: work(form=form, **given))

        return Command(name=name, callback=callback, params=[*params, output], help=getdoc(work), example=example)

    return decorate
