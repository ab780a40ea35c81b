"""The command line. Heavy imports happen where they are needed: `--help` answers at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator import streams

if TYPE_CHECKING:
    from cluster.errors import ClusterError
    from orchestrator.session import Request, Session
    from orchestrator.settings import Output, Settings

Verb = Callable[["Request", "Settings"], None]


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; its result goes to stdout, everything else to stderr. Returns the exit code."""
    streams.open_all()
    try:
        return _main(parser().parse_args(words))
    except KeyboardInterrupt:
        # Somebody who will not even wait for the report.
        return 130
    finally:
        streams.settle_all()


def _main(arguments: argparse.Namespace) -> int:
    from cluster.errors import ClusterError
    from orchestrator.exit_codes import exit_code
    from orchestrator.interrupts import Interrupted

    output = arguments.output
    try:
        settings = _settings()
        output = output or settings.output
        _run(arguments, output, settings)
    except ClusterError as error:
        _report(error, output)
        return exit_code(error)
    except KeyboardInterrupt as error:
        _report(Interrupted("interrupted"), output)
        return exit_code(error)
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="orchestrator",
        description="Serves one very large model over several GPU hosts, and proves every step.",
        epilog="Example: orchestrator up inventory.yaml",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    up = _add(verbs, "up", "bring the cluster up, and announce the endpoint once it gave a token", required=True)
    up.add_argument("--keep", action="store_true", help="when it fails, leave what was started for a look")
    _add(verbs, "down", "take it away, and prove that every GPU is free")
    _add(verbs, "status", "what runs where, and whether tokens come")
    return top


def _add(verbs: Any, name: str, what: str, required: bool = False) -> argparse.ArgumentParser:
    example = f"Example: orchestrator {name} inventory.yaml"
    verb: argparse.ArgumentParser = verbs.add_parser(
        name, help=what, description=f"{name}: {what}.", epilog=example
    )
    verb.set_defaults(keep=False)
    if required:
        verb.add_argument("inventory", type=Path, help="the inventory file")
        verb.set_defaults(cluster=None)
    else:
        verb.add_argument(
            "inventory", type=Path, nargs="?", help="the inventory file (default: the one last used)"
        )
        verb.add_argument("--cluster", metavar="NAME", help="which cluster, when several were used from here")
    verb.add_argument(
        "--output",
        choices=("auto", "live", "plain", "json"),
        help="how to show what happens; json: events as JSON lines on stderr, one JSON document on stdout",
    )
    return verb


def _run(arguments: argparse.Namespace, output: Output, settings: Settings) -> None:
    from orchestrator.session import Request

    request = Request(arguments.verb, arguments.inventory, arguments.cluster, output, arguments.keep)
    verbs: dict[str, Verb] = {"up": _up, "down": _down, "status": _status}
    verbs[arguments.verb](request, settings)


def _settings() -> Settings:
    from pydantic import ValidationError

    from cluster.errors import UsageError
    from orchestrator.settings import Patience, Settings

    try:
        Patience()
        return Settings()
    except ValidationError as error:
        prefix = "ORCHESTRATOR_PATIENCE_" if error.title == Patience.__name__ else "ORCHESTRATOR_"
        wrong = "; ".join(f"{prefix}{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
        raise UsageError(f"the environment: {wrong}", cure="correct it, or leave it out") from None


def _up(request: Request, settings: Settings) -> None:
    from orchestrator.announcement import announcement
    from orchestrator.events import Announced
    from orchestrator.plans import UP
    from orchestrator.session import session

    with session(request, settings) as one:
        one.remember()
        one.run(UP)
        proved = announcement(one.inventory, one.events)
        one.sink(Announced(proved))
    from orchestrator.render import announce
    from orchestrator.render.text import marks_for

    _say(request, lambda: announce.text(proved, marks_for(sys.stdout)), lambda: announce.document(proved))


def _down(request: Request, settings: Settings) -> None:
    from orchestrator.plans import DOWN
    from orchestrator.session import session

    with session(request, settings) as one:
        one.run(DOWN)
        one.forget()
        gone = _gone(one)
    _say(request, lambda: gone["text"], lambda: gone)


def _gone(one: Session) -> dict[str, Any]:
    hosts = [spec.name for spec in one.inventory.hosts]
    text = f"{one.inventory.cluster} is down: nothing of it is left on {', '.join(hosts)}"
    return {"cluster": one.inventory.cluster, "hosts": hosts, "free": True, "text": text}


def _status(request: Request, settings: Settings) -> None:
    from orchestrator.render import status as shown
    from orchestrator.render.text import marks_for
    from orchestrator.session import session
    from orchestrator.status import status

    with session(request, settings, watched=False) as one:
        hosts, endpoint = status(one.inventory, one.fleet)
    marks = marks_for(sys.stdout)
    _say(request, lambda: shown.table(hosts, endpoint, marks), lambda: shown.document(hosts, endpoint))


def _say(request: Request, text: Callable[[], str], document: Callable[[], dict[str, Any]]) -> None:
    import json

    from orchestrator.render.text import write

    write(sys.stdout, (json.dumps(document(), indent=2) if request.output == "json" else text()) + "\n")


def _report(error: ClusterError, output: str | None) -> None:
    """Once: among JSON lines an event has told it already, unless it came before them or from a person."""
    import json

    from cluster.errors import InventoryError, UsageError
    from orchestrator.interrupts import Interrupted
    from orchestrator.render import failure
    from orchestrator.render.text import marks_for, write

    if output != "json" or isinstance(error, InventoryError | UsageError | Interrupted):
        for one in _with_its_cause(error):
            write(sys.stderr, failure.lines(one, marks=marks_for(sys.stderr)) + "\n")
    if output == "json":
        write(sys.stdout, json.dumps(failure.report(error), indent=2) + "\n")


def _with_its_cause(error: ClusterError) -> list[ClusterError]:
    """A failure whose undoing somebody did not wait for is still told, and first."""
    from cluster.errors import ClusterError
    from orchestrator.interrupts import Interrupted

    first = error.__cause__ if isinstance(error, Interrupted) else None
    return [first, error] if isinstance(first, ClusterError) and not isinstance(first, Interrupted) else [error]
