"""Three rules: the glossary's words, no fragments, and short sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from tests.prose.passage import Passage

ROOT = Path(__file__).parents[2]
Rule = Literal["words", "fragments", "length"]
RULES: tuple[Rule, ...] = ("words", "fragments", "length")

LONGEST = 25
_FRAGMENT = re.compile(r"[\W_]*(Of|As|Those|Out|With)\b")
#: A message is a sentence, or several statements between colons and semicolons.
_STATEMENTS = re.compile(r"[:;] ")
#: Plain English, though a part of it is in the glossary's column "not"; and what Ray and vLLM print or write.
_FINE = re.compile(
    r"\b(there is no|is no longer|NUMA nodes?|died unexpectedly|node timed out|node types|on every node)\b",
    re.IGNORECASE,
)
_ROW = re.compile(r"^\| [^|]* \| ([^|]*) \| [^|]* \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Finding:
    rule: Rule
    passage: Passage
    what: str

    def __str__(self) -> str:
        where = f"{self.passage.path.relative_to(ROOT)}:{self.passage.line}"
        return f"{where}: {self.passage.kind}: {self.rule}: {self.what}"


@cache
def unused_words() -> tuple[str, ...]:
    """Returns the words in backticks of the glossary's column "not"."""
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Glossary\n")[2].partition("\n## ")[0]
    return tuple(word for cell in _ROW.findall(page) for word in re.findall(r"`([^`]+)`", cell))


@cache
def _unused() -> re.Pattern[str]:
    words = sorted(unused_words(), key=len, reverse=True)
    return re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, words))})(?![\w-])", re.IGNORECASE)


def findings(passage: Passage) -> Iterator[Finding]:
    words = _unused().findall(_FINE.sub("", passage.text))
    for word in dict.fromkeys(word.lower() for word in words if not word.isupper()):
        yield Finding("words", passage, f'"{word}" in: {passage.text}')
    for sentence in passage.sentences():
        if _FRAGMENT.match(sentence):
            yield Finding("fragments", passage, sentence)
        if passage.kind != "cell":
            yield from _long(passage, sentence)


def _long(passage: Passage, sentence: str) -> Iterator[Finding]:
    for part in _STATEMENTS.split(sentence) if passage.kind == "message" else [sentence]:
        words = [word for word in part.split() if re.search(r"[\w§{]", word)]
        if len(words) > LONGEST:
            yield Finding("length", passage, f"{len(words)} words: {part}")
