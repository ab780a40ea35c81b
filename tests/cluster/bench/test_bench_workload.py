"""The guide's workloads and any other, and the matrix of them."""

from __future__ import annotations

import pytest

from cluster.bench.workload import GUIDE, NUM_PROMPTS, Cell, Workload, matrix, workload

HEAVY, _, BALANCED = GUIDE


@pytest.mark.parametrize(
    ("word", "expected", "shown"),
    [
        ("prompt-heavy", Workload("prompt-heavy", 8000, 1000), "prompt-heavy (8000/1000)"),
        ("1000/8000", Workload("decode-heavy", 1000, 8000), "decode-heavy (1000/8000)"),
        ("balanced", BALANCED, "balanced (1000/1000)"),
        ("160/8", Workload("160x8", 160, 8), "160/8"),
    ],
)
def test_a_word_for_a_workload(word: str, expected: Workload, shown: str) -> None:
    assert workload(word) == expected
    assert workload(word).shown == shown
    assert workload(word).tokens == expected.input_len + expected.output_len


@pytest.mark.parametrize("word", ["heavy", "8000", "0/1", "1/0", "-1/2", "1/2/3", "10000000/1", "1 /2", ""])
def test_a_word_that_is_none(word: str) -> None:
    with pytest.raises(
        ValueError, match=r"^unknown workload: .*; use prompt-heavy, decode-heavy, balanced, or IN/OUT"
    ):
        workload(word)


def test_the_whole_matrix_is_the_guides() -> None:
    cells = list(matrix(GUIDE, NUM_PROMPTS, 1))
    assert len(cells) == 21
    assert cells[0] == Cell(HEAVY, 1)
    assert [cell.num_prompts for cell in cells[:7]] == [1, 16, 32, 64, 128, 256, 512]


def test_every_size_comes_once_before_any_is_repeated() -> None:
    cells = list(matrix([HEAVY], (16, 1), 2))
    assert [(cell.num_prompts, cell.repeat) for cell in cells] == [(1, 1), (16, 1), (1, 2), (16, 2)]
    assert [cell.name for cell in cells[2:]] == ["prompt-heavy-0001-2", "prompt-heavy-0016-2"]
    assert [cell.shown for cell in cells[1:3]] == [
        "prompt-heavy (8000/1000), 16 prompts",
        "prompt-heavy (8000/1000), 1 prompt, run 2",
    ]


def test_seeds_differ_from_cell_to_cell_and_from_try_to_try_and_come_again() -> None:
    cells = list(matrix(GUIDE, NUM_PROMPTS, 3))
    seeds = {cell.seed(7, attempt) for cell in cells for attempt in (1, 2)}
    assert len(seeds) == 2 * len(cells)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert cells[0].seed(7, 1) == Cell(HEAVY, 1).seed(7, 1)
    assert cells[0].seed(2**31 - 1, 1) < 2**31
