"""Lines of logs, of one source as they stand, of several with where each comes from."""

from __future__ import annotations

import json

from cluster.values import LogLine
from orchestrator.render.text import clean, one_line


def text(host: str, line: LogLine, several: bool) -> str:
    """For a person."""
    origin = f"{clean(host)} {clean(line.source)} | " if several else ""
    return origin + one_line(line.text)


def document(host: str, line: LogLine) -> str:
    """For a program: one line of JSON."""
    return json.dumps({"host": host, "source": line.source, "text": line.text})
