"""What is checked, in areas: each package with its messages and docstrings, and each page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.prose.passage import Passage, passages
from tests.prose.rules import ROOT, Finding, findings
from tests.prose.source import docstrings, messages

#: Only what an operator reads has messages.
_WITH_MESSAGES = {"cluster", "orchestrator"}
_PAGES = ("*.md", "docs/*.md", "docs/schemas/*.md", "benchmarks/gpu/*.md", "inventory.yaml", "examples/*.yaml")
#: Old names stand in the one, the other is generated.
_OTHER_PAGES = {"docs/moved.md", "docs/faults.md"}


def _areas() -> Iterator[str]:
    for package in ("cluster", "orchestrator"):
        yield package
        yield from (f"{package}/{path.parent.name}" for path in sorted((ROOT / package).glob("*/__init__.py")))
    yield from ("sandbox", "benchmarks")
    for path in sorted(path for pattern in _PAGES for path in ROOT.glob(pattern)):
        if (name := str(path.relative_to(ROOT))) not in _OTHER_PAGES:
            yield name


#: A package without folders of its own, such as `cluster`, is the files directly in it.
AREAS = tuple(_areas())


@cache
def area_findings(area: str) -> tuple[Finding, ...]:
    return tuple(finding for passage in _read(area) for finding in findings(passage))


def _read(area: str) -> Iterator[Passage]:
    path = ROOT / area
    if path.suffix == ".md":
        yield from passages(path, 1, "page", _without_glossary(path.read_text()))
    if path.suffix == ".yaml":
        yield from passages(path, 1, "page", _comments(path.read_text()))
    for source in _sources(path):
        yield from docstrings(source)
        if area.split("/")[0] in _WITH_MESSAGES:
            yield from messages(source)


def _sources(path: Path) -> list[Path]:
    whole = path.parent != ROOT or path.name not in _WITH_MESSAGES
    return sorted(path.rglob("*.py") if whole else path.glob("*.py"))


def _comments(text: str) -> str:
    """Returns the comments of an inventory, on their lines. A key behind a "#" is no prose."""
    lines = (re.match(r" *# (?![\w]+:)(.*)", line) for line in text.splitlines())
    return "\n".join(line[1] if line else "" for line in lines)


def _without_glossary(page: str) -> str:
    """Returns the page with empty lines in place of the glossary, which names the words that are not used."""
    before, title, rest = page.partition("\n## Glossary\n")
    glossary, following, after = rest.partition("\n## ")
    return before + "\n" * (title + glossary).count("\n") + following + after
