"""Options that are refused stay refused however they are written: vLLM's parser takes more spellings than one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

import pytest

from cluster.errors import InventoryError
from cluster.inventory.reserved import _ARGUMENTS, _refuse_argument
from tests.cluster.inventories import loaded, with_lines

OPTIONS = (Path(__file__).parents[2] / "recorded/vllm/serve-options.txt").read_text().split()
REFUSED = {name for names, _ in _ARGUMENTS for name in names}


class Parser(argparse.ArgumentParser):
    """Takes what vLLM's takes: beginnings of names, and values behind one letter."""

    def __init__(self) -> None:
        super().__init__(add_help=False, argument_default=argparse.SUPPRESS)
        for option in OPTIONS:
            self.add_argument(option, dest=option, nargs="?")

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def taken(self, word: str) -> set[str]:
        """The options that a word sets."""
        try:
            return set(vars(self.parse_known_args([word.replace("_", "-")])[0]))
        except ValueError:
            return set()


def spellings(option: str) -> list[str]:
    beginnings = [option[:end] for end in range(2, len(option) + 1)]
    return [*beginnings, *(f"--{word[2:].replace('-', '_')}" for word in beginnings if word.startswith("--"))]


def refuses(word: str) -> bool:
    try:
        _refuse_argument(word)
    except ValueError:
        return True
    return False


def test_every_spelling_that_reaches_a_refused_option_is_refused() -> None:
    parser = Parser()
    words = [
        spelling + value
        for option in sorted(REFUSED)
        for spelling in spellings(option)
        for value in ("", "=4", *(("4", "\u0664") if len(spelling) < 4 else ()))
    ]
    reaching = [word for word in words if parser.taken(word) & REFUSED]
    assert {"--api-ke=4", "--api_k=4", "--ho=4", "--ssl-keyf=4", "-n4", "-t"} <= set(reaching)
    assert [word for word in reaching if not refuses(word)] == []


def test_no_other_option_of_vllm_is_refused() -> None:
    others = set(OPTIONS) - REFUSED
    assert len(others) > 400
    assert [option for option in sorted(others) if refuses(option)] == []


@pytest.mark.parametrize(
    "word",
    [
        "--api-ke.x=SECRET",
        "--api_key.x+=SECRET",
        "--api-key.x",
        "--conf=SECRET",
        "-tp4",
        "-n-2",
        "--no-headless",
        "--",
    ],
)
def test_spellings_of_vllm_that_argparse_alone_does_not_have(word: str) -> None:
    assert refuses(word)


@pytest.mark.parametrize(
    "word",
    [
        "-",
        "-1",
        "8192",
        "--model-impl=auto",
        "--hf-overrides.host=1",
        "-q",
        "-qfp8",
        "-O3",
        "-dcp",
        "--no-enable-prefix-caching",
    ],
)
def test_other_words_are_let_through(word: str) -> None:
    assert not refuses(word)


def test_an_error_says_what_vllm_would_take_it_for_without_the_value(tmp_path: Path) -> None:
    written = with_lines("  tensor_parallel_size: 16", "  arguments: [--api-ke=SECRET]")
    with pytest.raises(InventoryError) as refused:
        loaded(tmp_path, written)
    assert "--api-ke, which vLLM may read as --api-key, is not allowed: use serve.api_key" in str(refused.value)
    assert "SECRET" not in str(refused.value)
