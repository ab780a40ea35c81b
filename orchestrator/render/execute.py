"""What an operator's command said on hosts, and how it ended there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cluster.views import Executed
from orchestrator.render import failure
from orchestrator.render.text import clean, one_line


def output(host: str, said: str, several: bool, terminal: bool) -> str:
    """Returns what one host said, made safe for a terminal; of several hosts, each line with its host."""
    if not (several or terminal):
        return said
    origin = f"{clean(host)} | " if several else ""
    return "".join(f"{origin}{one_line(line)}\n" for line in said.removesuffix("\n").split("\n") if said)


def document(words: Sequence[str], outcomes: Sequence[Executed]) -> dict[str, Any]:
    """For a program."""
    return {"command": list(words), "hosts": [_host(one) for one in outcomes]}


def _host(one: Executed) -> dict[str, Any]:
    problem = failure.report(one.problem) if one.problem else None
    ended = {"host": one.host, "status": one.status, "stdout": one.stdout, "stderr": one.stderr}
    return {**ended, "problem": problem}
