"""A text cut into passages: paragraphs, list items, headings and cells of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["message", "docstring", "page", "cell"]

_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+")
_CODE = re.compile(r"(`+)(?:.+?)\1|\]\([^)]*\)|https?://\S+")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf)\.$")
_END = re.compile(r"[.!?][)\"”*_]*\s+")
#: What a piece of code becomes: one word without letters.
CODE = "§"


@dataclass(frozen=True, slots=True)
class Passage:
    path: Path
    line: int
    kind: Kind
    text: str

    def sentences(self) -> Iterator[str]:
        start = 0
        for end in _END.finditer(self.text):
            if not _ABBREVIATION.search(self.text[: end.start() + 1]):
                yield self.text[start : end.end()].strip()
                start = end.end()
        if rest := self.text[start:].strip():
            yield rest


def without_code(text: str) -> str:
    """Returns the text with each code span, link target and URL as one word."""
    return _CODE.sub(lambda found: CODE if found[0][0] != "]" else "]", text)


def passages(path: Path, line: int, kind: Kind, text: str) -> Iterator[Passage]:
    """Yields the passages of a text that begins on `line`. Blocks of code are left out."""
    block: list[str] = []
    first, fenced = line, False
    for number, written in enumerate([*text.splitlines(), ""], line):
        fence = written.lstrip().startswith("```")
        new = fence or fenced or not written.strip() or _is_row(written) or written.startswith("#")
        if block and (new or _ITEM.match(written)):
            yield Passage(path, first, kind, without_code(" ".join(block)))
            block = []
        fenced ^= fence
        if not new and (block or _ITEM.match(written) or not written.startswith("    ")):
            first = first if block else number
            block.append(written.strip() if block else _without_bullet(written))
        elif not fenced and not fence:
            yield from _row(path, number, written)


def _without_bullet(written: str) -> str:
    bullet = _ITEM.match(written)
    return written[bullet.end() :] if bullet else written


def _is_row(written: str) -> bool:
    return written.lstrip().startswith("|")


def _row(path: Path, line: int, written: str) -> Iterator[Passage]:
    """Yields the cells of a row of a table, or a heading."""
    if written.startswith("#"):
        yield Passage(path, line, "cell", without_code(written.lstrip("# ")))
    elif _is_row(written):
        for cell in without_code(written).strip().strip("|").split("|"):
            if cell.strip(" -:"):
                yield Passage(path, line, "cell", cell.strip())
