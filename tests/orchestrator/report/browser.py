"""A page as a browser shows it: headless Chromium, without a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.timing import LIMIT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr", "--window-size=1280,2000", "--virtual-time-budget=20000", "--dump-dom",
)  # fmt: skip
_DARK = "--blink-settings=preferredColorScheme=0"

#: Reports what each plot holds, and what it has painted.
_REPORTING = """<script>
document.body.append(Object.assign(document.createElement("pre"), {id: "drawn", textContent: JSON.stringify(
  [...document.querySelectorAll(".js-plotly-plot")].map((plot) => ({
    id: plot.id, ink: plot.layout.font.color, marks: plot.querySelectorAll("path").length,
    height: plot.getBoundingClientRect().height,
    traces: plot.data.map((one) => ({name: one.name, x: [...one.x], y: [...one.y]})),
  })))}));
</script></body>"""


@dataclass(frozen=True)
class Rendered:
    """`console` is all output of the page there; `drawn` what each plot holds, by its id."""

    dom: str
    console: tuple[str, ...]

    @property
    def drawn(self) -> dict[str, dict[str, Any]]:
        return {plot["id"]: plot for plot in json.loads(self.text("pre", "drawn"))}

    def text(self, tag: str, id: str) -> str:
        element = re.search(rf'<{tag}[^>]*id="{id}"[^>]*>(.*?)</{tag}>', self.dom, re.DOTALL)
        assert element, id
        parser = _Text()
        parser.feed(element[1])
        return "".join(parser.pieces)

    def tables(self) -> list[list[list[str]]]:
        """The words of every cell, by table and row."""
        parser = _Tables()
        parser.feed(self.dom)
        return parser.tables


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._within = True

    def handle_endtag(self, tag: str) -> None:
        self._within = self._within and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._within:
            self.tables[-1][-1][-1] += data


def render(page: Path, scratch: Path, dark: bool = False) -> Rendered:
    """Opens a copy of `page` that reports what it has drawn."""
    copy = scratch / "rendered.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", _REPORTING), encoding="utf-8")
    assert CHROMIUM
    argv = [
        CHROMIUM,
        *_OPTIONS,
        *((_DARK,) if dark else ()),
        f"--user-data-dir={scratch / 'profile'}",
        copy.as_uri(),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr[-2000:]
    console = re.findall(r"CONSOLE[^]]*\] (.*)", done.stderr)
    return Rendered(done.stdout, tuple(console))
