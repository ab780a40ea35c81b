"""What an operator's command said on hosts, and how it ended there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

from typing_extensions import TypedDict

from cluster.views import Executed
from orchestrator.render.text import clean, one_line

#: Characters that are shown at once, and those of a line.
_PIECE, _LONGEST_LINE = 1 << 16, 1 << 20


def output(host: str, said: IO[str], several: bool, terminal: bool) -> Iterator[str]:
    """Yields what a host said in pieces, made safe for a terminal; of several hosts, each line with its host."""
    if not (several or terminal):
        yield from iter(partial(said.read, _PIECE), "")
        return
    shown, size = list[str](), 0
    for line in _lines(said, f"{clean(host)} | " if several else ""):
        shown.append(line)
        size += len(line)
        if size >= _PIECE:
            yield "".join(shown)
            shown, size = [], 0
    yield "".join(shown)


def _lines(said: IO[str], origin: str) -> Iterator[str]:
    """Yields each line with its origin. A line beyond the limit comes in pieces, since it may never end."""
    inside = False
    while part := said.readline(_LONGEST_LINE):
        yield ("" if inside else origin) + one_line(part.removesuffix("\n"))
        inside = not part.endswith("\n")
        if not inside:
            yield "\n"
    if inside:
        yield "\n"


class ExecDocument(TypedDict):
    """An operator's command, and how it ended on each host."""

    command: Sequence[str]
    hosts: Sequence[Executed]


def document(words: Sequence[str], outcomes: Sequence[Executed]) -> ExecDocument:
    """For a program."""
    return {"command": words, "hosts": outcomes}
