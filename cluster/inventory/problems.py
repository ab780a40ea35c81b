"""A place in the file, and its problem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cluster.errors import InventoryError

Loc = tuple[str | int, ...]

#: The number of problems that are shown at once.
MOST = 20

#: A key that can be shown as it is; other keys are quoted, so that no control character reaches a terminal.
_PLAIN_KEY = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Problem:
    """A problem at `loc`; `line` (from 1) is only set where the place is not a key of the document."""

    loc: Loc
    reason: str
    line: int = 0


class UnreadableInventory(Exception):
    """The file cannot be read further. `cure` is set where the operator cannot correct it in the file."""

    def __init__(self, *problems: Problem, cure: str = "") -> None:
        super().__init__(problems)
        self.problems = problems
        self.cure = cure


def quoted(text: str) -> str:
    """Returns a text of the file for display: in quotes, with escaped control characters, cut to 200
    characters."""
    shown = text if len(text) <= 200 else text[:197] + "..."
    return f'"{repr(shown)[1:-1]}"'


def shown(loc: Loc) -> str:
    """Returns a place in the words of the file: hosts[1].address."""
    return "".join(_step(part) for part in loc).removeprefix(".")


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if _PLAIN_KEY.fullmatch(part) else f".{quoted(part)}"


def error(
    path: str, problems: Iterable[Problem], lines: Mapping[Loc, int], cure: str = "", more: int = 0
) -> InventoryError:
    """Returns the problems of the file at `path`, in the order of its lines, each once, up to a readable number.

    `more` is the number of further problems without a sentence.
    """
    placed = sorted(((_line(problem, lines), problem) for problem in problems), key=lambda pair: pair[0])
    sentences = tuple(dict.fromkeys(_sentence(path, *pair) for pair in placed))
    more += len(sentences[MOST:])
    return InventoryError(path, (*sentences[:MOST], *((f"{path}: and {more:,} more",) if more else ())), cure=cure)


def _line(problem: Problem, lines: Mapping[Loc, int]) -> int:
    """Returns the line of the problem, or of the innermost key around it that the file has (or the first line)."""
    prefixes = (problem.loc[:length] for length in range(len(problem.loc), -1, -1))
    return problem.line or next((lines[prefix] for prefix in prefixes if prefix in lines), 0)


def _sentence(path: str, line: int, problem: Problem) -> str:
    where = f"{path}:{line}" if line else path
    return ": ".join(filter(None, (where, shown(problem.loc), problem.reason)))
