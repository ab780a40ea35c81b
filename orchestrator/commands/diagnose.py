"""`diagnose`: everything that is known of a cluster in one file, without its secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import TypedDict

from cluster.errors import FleetError, HostError, UsageError
from cluster.state.observe import observe
from orchestrator.outcome.exit_codes import exit_code
from orchestrator.outcome.output import print_error, print_result
from orchestrator.render.text import clean, count
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import Session, session
from orchestrator.session.support_bundle import Bundle

#: Seconds for every host to say all.
_PATIENCE = 20.0


def run(invocation: Invocation, *, to: Path | None) -> int:
    with session(invocation, journaled=False) as opened:
        bundle = _write_bundle(opened, to or Path())
    print_result(invocation.output, lambda: _text(bundle), lambda: _document(bundle))
    if invocation.output != "json":
        for problem in bundle.problems:
            print_error(problem)
    return exit_code(FleetError(bundle.problems)) if bundle.problems else 0


def _write_bundle(opened: Session, to: Path) -> Bundle:
    """Raises UsageError before any host is asked where the file cannot be."""
    path = _path(opened, to)
    observed = observe(opened.inventory, opened.fleet)
    try:
        return opened.diagnosis.write(path, observed, _PATIENCE)
    except OSError as problem:
        cure = "choose another file with --to PATH"
        raise UsageError(f"{path} cannot be written: {problem.strerror or problem}", cure=cure) from None


def _path(opened: Session, to: Path) -> Path:
    """A folder will do; by default it is the one that we are called from."""
    name = f"{opened.inventory.cluster}-{opened.stamp}.tar.gz"
    path = (to / name if to.is_dir() else to).absolute()
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a folder", cure="choose another file with --to PATH")
    return path


def _text(bundle: Bundle) -> str:
    counts = ", ".join(f"{host}: {count(texts, 'file')}" for host, texts in bundle.texts.items())
    missing = [f"  missing: {clean(problem)}" for problem in bundle.missing]
    return "\n".join([f"{bundle.path}  {bundle.size / 2**20:.1f} MiB ({counts or 'of no host'})", *missing])


class DiagnoseDocument(TypedDict):
    """The bundle that was written, the number of its texts of each host, and what is not in it."""

    path: str
    bytes: int
    texts: Mapping[str, int]
    missing: Sequence[str]
    problems: Sequence[HostError]


def _document(bundle: Bundle) -> DiagnoseDocument:
    return {
        "path": str(bundle.path),
        "bytes": bundle.size,
        "texts": bundle.texts,
        "missing": bundle.missing,
        "problems": bundle.problems,
    }
