"""`diagnose`: everything that is known of a cluster in one file, without its secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.errors import FleetError, UsageError
from cluster.state.observe import observe
from orchestrator.cli.exit_codes import exit_code
from orchestrator.cli.output import explain, say
from orchestrator.local.settings import Settings
from orchestrator.render import failure
from orchestrator.render.text import clean, count
from orchestrator.session.session import Request, Session, session
from orchestrator.session.support_bundle import Bundle

#: Seconds for every host to say all.
_PATIENCE = 20.0


def run(request: Request, settings: Settings) -> int:
    with session(request, settings, watched=False) as one:
        made = _made(one)
    say(request, lambda: _text(made), lambda: _document(made))
    if request.output != "json":
        for problem in made.problems:
            explain(problem)
    return exit_code(FleetError(made.problems)) if made.problems else 0


def _made(one: Session) -> Bundle:
    """Raises UsageError before any host is asked where the file cannot be."""
    path = _path(one)
    seen = observe(one.inventory, one.fleet)
    try:
        return one.diagnosis.write(path, seen, _PATIENCE)
    except OSError as problem:
        cure = "say where it may be: --to PATH"
        raise UsageError(f"{path} cannot be written: {problem.strerror or problem}", cure=cure) from None


def _path(one: Session) -> Path:
    """A folder will do; by default it is the one that we are called from."""
    to = one.request.to or Path()
    name = f"{one.inventory.cluster}-{one.stamp}.tar.gz"
    path = (to / name if to.is_dir() else to).absolute()
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder", cure="say where the bundle may be: --to PATH")
    return path


def _text(made: Bundle) -> str:
    of = ", ".join(f"{host}: {count(texts, 'file')}" for host, texts in made.texts.items())
    missing = [f"  missing: {clean(one)}" for one in made.missing]
    return "\n".join([f"{made.path}  {made.size / 2**20:.1f} MiB ({of or 'of no host'})", *missing])


def _document(made: Bundle) -> dict[str, Any]:
    problems = [failure.report(one) for one in made.problems]
    told = {"path": str(made.path), "bytes": made.size, "texts": made.texts, "missing": list(made.missing)}
    return {**told, "problems": problems}
