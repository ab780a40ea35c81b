"""What words on the command line stand for."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

_INVENTORIES = (".yaml", ".yml")


def inventory_and_hosts(words: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
    """The first word is the inventory where it is a file, or is called like one; all others are hosts."""
    # A pipe will do for a file: `<(generate an inventory)`.
    if words and (words[0].endswith(_INVENTORIES) or (Path(words[0]).exists() and not Path(words[0]).is_dir())):
        return Path(words[0]), tuple(words[1:])
    return None, tuple(words)


def whole(word: str, what: str) -> int:
    """Raises what argparse explains, as the other types here do; `what` is what was expected."""
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {what}, found {word!r}") from None


def real(word: str, what: str) -> float:
    """Like `whole`, with a fraction."""
    try:
        return float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {what}, found {word!r}") from None


def at_least_zero(word: str) -> int:
    number = whole(word, "a whole number from 0 on")
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word} is less than 0")
    return number


def seconds(word: str) -> float:
    number = real(word, "a number of seconds, such as 600")
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{word} is no time to wait")
    return number


def check_name(word: str) -> str:
    """Raises for what is no check, guesses which was meant, and says what lists them."""
    from cluster.values.checks import CHECKS

    if word not in CHECKS:
        near = get_close_matches(word.lower(), CHECKS, 1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        raise argparse.ArgumentTypeError(f"{word} is no check{guess}: `orchestrator check --all` lists them")
    return word
