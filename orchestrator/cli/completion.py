"""Words that a shell completes. They come from this program and from files of this machine, never from a host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem, shell_complete

from orchestrator.cli.argument_types import inventory_and_hosts
from orchestrator.local import names
from orchestrator.local.state_folder import state_folder

#: A shell sets it to ask for its script, or for the words that fit.
VARIABLE = "_ORCHESTRATOR_COMPLETE"


def answer(program: click.Command, instruction: str) -> int:
    """Prints what a shell asks for. Returns the exit code."""
    try:
        return shell_complete(program, {}, "orchestrator", VARIABLE, instruction)
    except Exception:
        # Between an operator's words, no word is better than a traceback.
        return 1


def starting(incomplete: str, words: Iterable[str]) -> list[CompletionItem[str]]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def files(incomplete: str) -> list[CompletionItem[str]]:
    """Has the shell complete the name of a file. Shells want this item before the words."""
    return [CompletionItem(incomplete, type="file")]


def clusters(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return starting(incomplete, names.cluster_names(state_folder()))


def places(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Completes an inventory and hosts, and behind `--` the words of another program."""
    if context.params.get("words") is not None:
        return files(incomplete)
    given = context.params.get("places") or ()
    fitting = starting(incomplete, (host for host in _hosts(context, given) if host not in given))
    return fitting if given else [*files(incomplete), *fitting]


def _hosts(context: click.Context, given: tuple[str, ...]) -> list[str]:
    inventory, _ = inventory_and_hosts([str(Path(given[0]).expanduser()), *given[1:]] if given else [])
    if inventory:
        return names.host_names(inventory)
    return names.remembered_host_names(state_folder(), context.params.get("cluster"))
