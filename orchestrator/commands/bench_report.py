"""`bench report`: one page of results, or the same for other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.local.settings import Settings
from orchestrator.outcome.result import put
from orchestrator.render.json_text import to_json
from orchestrator.report import data
from orchestrator.report.page import write_page
from orchestrator.report.series import Series, load
from orchestrator.session.session import Request

_FORMS: dict[str, Callable[[Sequence[Series]], str]] = {
    "json": lambda series: to_json(data.document(series), indent=1) + "\n",
    "csv": data.as_csv,
    "markdown": data.as_markdown,
}


def run(request: Request, settings: Settings) -> None:
    """Raises UsageError for folders without results, and where the page cannot be written."""
    series = load(request.folders)
    if request.form in _FORMS:
        put(_FORMS[request.form](series))
        return
    path = request.to or request.folders[0] / "report.html"
    write_page(path, series)
    put(f"{path}\n")
