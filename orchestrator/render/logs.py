"""Lines of logs, of one source as they stand, of several with where each comes from."""

from __future__ import annotations

from typing_extensions import TypedDict

from cluster.values import LogLine
from orchestrator.render.text import clean, one_line


def text(host: str, line: LogLine, several: bool) -> str:
    """Text for an operator."""
    origin = f"{clean(host)} {clean(line.source)} | " if several else ""
    return origin + one_line(line.text)


class LogDocument(TypedDict):
    """A line of a log; `source` is the unit, or the name of the file."""

    host: str
    source: str
    text: str


def document(host: str, line: LogLine) -> LogDocument:
    """For a program."""
    return {"host": host, "source": line.source, "text": line.text}
