"""The command line. Heavy imports happen where they are needed: `--help` answers at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.session import Request, Session
    from orchestrator.settings import Settings

Verb = Callable[["Request", "Settings"], None]


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; its result goes to stdout, everything else to stderr. Returns the exit code."""
    arguments = parser().parse_args(words)
    from cluster.errors import ClusterError
    from orchestrator.exit_codes import exit_code

    try:
        _run(arguments)
    except (ClusterError, KeyboardInterrupt) as error:
        _report(error, arguments.output)
        return exit_code(error)
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="orchestrator",
        description="Serves one very large model over several GPU hosts, and proves every step.",
        epilog="Example: orchestrator up inventory.yaml",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    _add(verbs, "up", "bring the cluster up, and announce the endpoint once it gave a token", required=True)
    _add(verbs, "down", "take it away, and prove that every GPU is free")
    _add(verbs, "status", "what runs where, and whether tokens come")
    return top


def _add(verbs: Any, name: str, what: str, required: bool = False) -> None:
    example = f"Example: orchestrator {name} inventory.yaml"
    verb = verbs.add_parser(name, help=what, description=f"{name}: {what}.", epilog=example)
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


def _run(arguments: argparse.Namespace) -> None:
    from orchestrator.session import Request

    settings = _settings()
    output = arguments.output or settings.output
    request = Request(arguments.verb, arguments.inventory, arguments.cluster, output)
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
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UsageError(
            f"the environment: {error.title}: {wrong}", cure="correct the ORCHESTRATOR_ variable"
        ) from None


def _up(request: Request, settings: Settings) -> None:
    from orchestrator import pointer
    from orchestrator.announcement import announcement
    from orchestrator.events import Announced
    from orchestrator.plans import UP
    from orchestrator.session import session

    assert request.path is not None
    with session(request, settings) as one:
        pointer.remember(settings.state, one.inventory.cluster, request.path)
        one.run(UP)
        proved = announcement(one.inventory, one.events)
        one.sink(Announced(proved))
    from orchestrator.render import announce
    from orchestrator.render.text import marks_for

    _say(request, lambda: announce.text(proved, marks_for(sys.stdout)), lambda: announce.document(proved))


def _down(request: Request, settings: Settings) -> None:
    from orchestrator import pointer
    from orchestrator.plans import DOWN
    from orchestrator.session import session

    with session(request, settings) as one:
        one.run(DOWN)
        pointer.forget(settings.state, one.inventory.cluster)
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


def _report(error: BaseException, output: str | None) -> None:
    import json

    from cluster.errors import ClusterError
    from orchestrator.render import failure
    from orchestrator.render.text import marks_for, write

    if not isinstance(error, ClusterError):
        write(sys.stderr, "\ninterrupted\n")
        return
    write(sys.stderr, failure.lines(error, marks=marks_for(sys.stderr)) + "\n")
    if output == "json":
        write(sys.stdout, json.dumps(failure.report(error), indent=2) + "\n")
