"""`bench report`: one page of results, or the same for other programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cluster.errors import UsageError
from orchestrator.render.text import write
from orchestrator.report import data
from orchestrator.report.page import page
from orchestrator.report.series import Series, load
from orchestrator.session import Request
from orchestrator.settings import Settings

_SAID: dict[str, Callable[[Sequence[Series]], str]] = {
    "json": lambda series: json.dumps(data.document(series), indent=1) + "\n",
    "csv": data.as_csv,
    "markdown": data.as_markdown,
}


def run(request: Request, settings: Settings) -> None:
    """Raises UsageError for folders without results, and where the page cannot be written."""
    series = load(request.folders)
    if request.form in _SAID:
        write(sys.stdout, _SAID[request.form](series))
        return
    path = request.to or request.folders[0] / "report.html"
    _keep(path, page(series, f"Page made on {datetime.now(UTC).strftime('%Y-%m-%d %H:%M')} UTC"))
    write(sys.stdout, f"{path}\n")


def _keep(path: Path, text: str) -> None:
    """Whole or not at all."""
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        cure = "make room there, or give another file with --to"
        raise UsageError(f"{path} cannot be written", cause=error.strerror or str(error), cure=cure) from None
