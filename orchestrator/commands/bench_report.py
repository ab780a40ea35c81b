"""`bench report`: one page of results, or the same for other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.outcome.result import put
from orchestrator.render.json_text import to_json
from orchestrator.report import data
from orchestrator.report.page import write_page
from orchestrator.report.series import Series, load

_FORMS: dict[str, Callable[[Sequence[Series]], str]] = {
    "json": lambda series: to_json(data.document(series), indent=1) + "\n",
    "csv": data.as_csv,
    "markdown": data.as_markdown,
}


def run(folders: Sequence[Path], *, to: Path | None, form: str) -> None:
    """Raises UsageError for folders without results, and where the page cannot be written."""
    series = load(folders)
    if form in _FORMS:
        put(_FORMS[form](series))
        return
    path = to or folders[0] / "report.html"
    write_page(path, series)
    put(f"{path}\n")
