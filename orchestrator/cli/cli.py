"""The command line: from words to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from orchestrator.cli import completion, streams
from orchestrator.cli.groups import LazyGroup
from orchestrator.cli.parameters import VERSION

#: The commands by the order of work; each has a module in this package.
program = LazyGroup(
    name="orchestrator",
    sections={
        "Look": ("check", "plan", "status", "logs"),
        "Run": ("up", "down"),
        "Measure": ("bench",),
        "Repair": ("diagnose", "unlock", "exec"),
    },
    help="Serve one very large model over several GPU hosts, and verify every step.",
    example="up inventory.yaml",
    params=[VERSION],
)


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; its result goes to stdout, everything else to stderr. Returns the exit code.

    Raises SystemExit after a help text, and for words that mean nothing.
    """
    streams.open_all()
    try:
        if instruction := os.environ.get(completion.VARIABLE):
            return completion.answer(program, instruction)
        return _main(list(sys.argv[1:] if words is None else words))
    except KeyboardInterrupt:
        # The operator did not wait for the report either.
        return 130
    finally:
        streams.settle_all()


def _main(words: list[str]) -> int:
    try:
        with program.make_context("orchestrator", words) as context:
            code: int = program.invoke(context)
            return code
    except click.exceptions.Exit as end:
        raise SystemExit(end.exit_code) from None
    except click.UsageError as error:
        _refuse(error)


def _refuse(error: click.UsageError) -> NoReturn:
    """Prints how the command is used, what was wrong, and how to find what is right."""
    from cluster.errors import UsageError
    from orchestrator.outcome.exit_codes import USAGE
    from orchestrator.outcome.output import print_error
    from orchestrator.render.text import write

    context = error.ctx or click.Context(program, info_name="orchestrator")
    write(sys.stderr, f"{context.get_usage()}\n")
    print_error(UsageError(_reason(error, context), cure=f"`{context.command_path} --help` lists what it takes"))
    raise SystemExit(USAGE)


def _reason(error: click.UsageError, context: click.Context) -> str:
    match error:
        case click.MissingParameter(param=click.Parameter() as parameter):
            return f"{_label(parameter, context)} is missing"
        case click.BadParameter(param=click.Parameter() as parameter):
            return f"{_label(parameter, context)}: {error.message.rstrip('.')}"
    return error.format_message().rstrip(".")


def _label(parameter: click.Parameter, context: click.Context) -> str:
    """Returns the name of an option, or what stands for an argument in the usage."""
    return parameter.opts[-1] if isinstance(parameter, click.Option) else parameter.make_metavar(context)
