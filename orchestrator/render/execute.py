"""What an operator's command said on hosts, and how it ended there."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from cluster.views import Executed
from orchestrator.render.text import clean, one_line


def output(host: str, said: str, several: bool, terminal: bool) -> str:
    """Returns what one host said, made safe for a terminal; of several hosts, each line with its host."""
    if not (several or terminal):
        return said
    origin = f"{clean(host)} | " if several else ""
    return "".join(f"{origin}{one_line(line)}\n" for line in said.removesuffix("\n").split("\n") if said)


class ExecDocument(TypedDict):
    """An operator's command, and how it ended on each host."""

    command: Sequence[str]
    hosts: Sequence[Executed]


def document(words: Sequence[str], outcomes: Sequence[Executed]) -> ExecDocument:
    """For a program."""
    return {"command": words, "hosts": outcomes}
