"""The command line. Heavy imports happen where they are needed: `--help` answers at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from orchestrator.cli import streams
from orchestrator.cli.arguments import parse, parser

if TYPE_CHECKING:
    from orchestrator.local.settings import Output, Settings
    from orchestrator.session.session import Request

__all__ = ["main", "parse", "parser"]

#: Returns the exit code, None for 0; raises ClusterError.
RunCommand = Callable[["Request", "Settings"], int | None]


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; its result goes to stdout, everything else to stderr. Returns the exit code."""
    streams.open_all()
    try:
        return _main(parse(sys.argv[1:] if words is None else words))
    except KeyboardInterrupt:
        # Somebody who will not even wait for the report.
        return 130
    finally:
        streams.settle_all()


def _main(arguments: argparse.Namespace) -> int:
    from cluster.errors import ClusterError
    from orchestrator.outcome.exit_codes import exit_code
    from orchestrator.outcome.output import print_failure
    from orchestrator.run.interrupts import Interrupted

    output = arguments.output
    try:
        settings = _settings()
        output = output or settings.output
        return _run(arguments, output, settings)
    except ClusterError as error:
        print_failure(error, output)
        return exit_code(error)
    except KeyboardInterrupt as error:
        print_failure(Interrupted("interrupted"), output)
        return exit_code(error)


def _run(arguments: argparse.Namespace, output: Output, settings: Settings) -> int:
    """Each command has a file of its own, and `Request` knows the names of all that may be asked for."""
    from dataclasses import fields

    from orchestrator.session.session import Request

    given = vars(arguments) | {"output": output, "path": arguments.inventory}
    request = Request(**{field.name: given[field.name] for field in fields(Request) if field.name in given})
    module = "execute" if request.verb == "exec" else request.verb.replace(" ", "_")
    run: RunCommand = import_module(f"orchestrator.commands.{module}").run
    return run(request, settings) or 0


def _settings() -> Settings:
    from pydantic import ValidationError

    from cluster.errors import UsageError
    from orchestrator.local.settings import Patience, Settings, misspelt

    if misspelt_names := misspelt():
        names, near = ", ".join(misspelt_names), ", ".join(misspelt_names.values())
        raise UsageError(f"the environment: {names} is no setting", cure=f"{near}? or leave it out")
    try:
        Patience()
        return Settings()
    except ValidationError as error:
        prefix = "ORCHESTRATOR_PATIENCE_" if error.title == Patience.__name__ else "ORCHESTRATOR_"
        wrong = "; ".join(
            f"{prefix}{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()
        )
        raise UsageError(f"the environment: {wrong}", cure="correct it, or leave it out") from None
