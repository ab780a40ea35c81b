"""The way from a path to an Inventory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from cluster.inventory import rules
from cluster.inventory.explain import explain
from cluster.inventory.files import Surroundings, read_text
from cluster.inventory.models import Inventory
from cluster.inventory.problems import MOST, Problem, UnreadableInventory, error
from cluster.inventory.schema import InventoryFile, build, resolve
from cluster.inventory.yaml_source import Document, parse


def load(path: Path, environ: Mapping[str, str], base: Path | None = None) -> Inventory:
    """Returns the inventory in the file at `path`, with `${VAR}`s and `~` from `environ`; no host is touched.

    Paths in it are relative to `base`, by default the folder of the file.

    Raises InventoryError with all problems of single values, or else with all problems between values.
    """
    try:
        document = parse(read_text(path), environ)
    except UnreadableInventory as unreadable:
        raise error(str(path), unreadable.problems, {}, unreadable.cure) from None
    file, problems, more = _validated(document, Surroundings(base or path.absolute().parent, environ))
    if file is not None and not problems:
        resolved = resolve(file)
        problems = tuple(rules.problems(resolved))
        if not problems:
            return build(resolved)
    raise error(str(path), problems, document.lines, more=more)


def _validated(document: Document, around: Surroundings) -> tuple[InventoryFile | None, tuple[Problem, ...], int]:
    """Returns the file, or None, its problems, and the number of further problems. A value that could not be read
    has only its first problem."""
    try:
        return InventoryFile.model_validate(document.data, context=around), document.problems, 0
    except ValidationError as invalid:
        # Neither this exception nor its context leaves: it holds the values, also secrets.
        details = invalid.errors(include_url=False)
    known = {problem.loc for problem in document.problems}
    # Guessing the intended key takes milliseconds.
    explained = (problem for problem in explain(details[:MOST]) if problem.loc not in known)
    return None, (*document.problems, *explained), len(details[MOST:])
