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
    if words and (words[0].endswith(_INVENTORIES) or _is_file(Path(words[0]))):
        return Path(words[0]), tuple(words[1:])
    return None, tuple(words)


def _is_file(path: Path) -> bool:
    """A pipe will do: `<(generate an inventory)`."""
    return path.exists() and not path.is_dir()


def at_least_zero(word: str) -> int:
    """Raises what argparse explains, as the other types here do."""
    number = int(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word} is less than 0")
    return number


def seconds(word: str) -> float:
    number = float(word)
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{word} is no time to wait")
    return number


def check_name(word: str) -> str:
    """Raises for what is no check, and guesses which was meant."""
    from cluster.values.checks import CHECKS

    if word not in CHECKS:
        near = get_close_matches(word, CHECKS, 1)
        raise argparse.ArgumentTypeError(f"{word} is no check{f' (did you mean {near[0]}?)' if near else ''}")
    return word
