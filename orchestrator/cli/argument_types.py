"""What words on the command line stand for. A function raises ValueError for a word that it does not take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

_INVENTORIES = (".yaml", ".yml")


class Parsed(click.ParamType[object, Any]):
    """`parse` reads a word; `name` stands for the word in the help. A shell completes `known` words."""

    def __init__(self, name: str, parse: Callable[[str], object], known: Sequence[str] = ()) -> None:
        self.name = name
        self._parse = parse
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> object:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as problem:
            self.fail(str(problem), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        return [CompletionItem(word) for word in self._known if word.startswith(incomplete)]


def inventory_and_hosts(words: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
    """The first word is the inventory if it is a file, or has the name of one. All others are hosts."""
    # A pipe will do for a file: `<(generate an inventory)`.
    if words and (words[0].endswith(_INVENTORIES) or (Path(words[0]).exists() and not Path(words[0]).is_dir())):
        return Path(words[0]), tuple(words[1:])
    return None, tuple(words)


def _whole(word: str, expected: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"expected {expected}, found {word!r}") from None


def _real(word: str, expected: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"expected {expected}, found {word!r}") from None


def from_zero(word: str) -> int:
    number = _whole(word, "a whole number from 0 on")
    if number < 0:
        raise ValueError(f"{word} is less than 0")
    return number


def positive(word: str) -> int:
    number = _whole(word, "a whole number from 1 on")
    if number < 1:
        raise ValueError(f"{word} is less than 1")
    return number


def seconds(word: str) -> float:
    number = _real(word, "a number of seconds, such as 600")
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"invalid timeout: {word}")
    return number


def rate(word: str) -> float:
    """`inf` sends all at once."""
    number = _real(word, "a number of requests a second, or inf")
    if math.isnan(number) or number <= 0:
        raise ValueError(f"invalid rate: {word}")
    return number


def seed(word: str) -> int:
    number = _whole(word, f"a whole number from 0 to {2**31 - 1}")
    if not 0 <= number < 2**31:
        raise ValueError(f"{word} is not from 0 to {2**31 - 1}")
    return number


def numbers(word: str) -> tuple[int, ...]:
    return tuple(map(positive, word.split(",")))


def layouts(word: str) -> tuple[tuple[int, int], ...]:
    return tuple(map(_layout, word.split(",")))


def _layout(word: str) -> tuple[int, int]:
    sizes = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", word)
    if not sizes:
        raise ValueError(f"invalid layout: {word}; write tensor x pipeline, such as 8x2")
    return int(sizes[1]), int(sizes[2])


def check_name(word: str) -> str:
    from cluster.values.checks import CHECKS

    if word not in CHECKS:
        near = get_close_matches(word.lower(), CHECKS, 1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"unknown check: {word}{guess}; `orchestrator check --all` lists the checks")
    return word
