"""What is tried of tiles, and what is written of those that won."""

import pytest

from benchmarks.gpu_lab import step, tiles
from benchmarks.gpu_lab.tiles import BATCHES, Found, Shape

SHAPE = Shape(64, 1536, 2560, 6)
FLAT, LARGE = {"BLOCK_SIZE_M": 16}, {"BLOCK_SIZE_M": 128}


@pytest.mark.parametrize("batch", BATCHES)
def test_candidates_are_distinct_and_fit_a_block(batch: int) -> None:
    tried = [tuple(one.items()) for one in tiles.candidates(batch)]
    assert len(set(tried)) == len(tried) > 20
    for one in map(dict, tried):
        operands = (one["BLOCK_SIZE_M"] + one["BLOCK_SIZE_N"]) * one["BLOCK_SIZE_K"] * 2
        assert operands * (one["num_stages"] - 1) <= 227 * 1024


def test_a_decode_is_tried_with_flat_tiles_and_a_prefill_with_large_ones() -> None:
    assert {one["BLOCK_SIZE_M"] for one in tiles.candidates(16)} == {16}
    assert {one["BLOCK_SIZE_M"] for one in tiles.candidates(8192)} == {64, 128}


def test_the_file_is_what_vllm_reads() -> None:
    found = [Found(SHAPE, 8192, 3, 2.0, 1.0, LARGE), Found(SHAPE, 16, 3, 2.0, 1.0, FLAT)]
    assert tiles.content(found, "3.6.0") == {"triton_version": "3.6.0", "16": FLAT, "8192": LARGE}


def test_the_table_tells_what_was_gained() -> None:
    said = tiles.table([Found(SHAPE, 16, 82, 293.8, 281.6, FLAT)])
    assert said.splitlines()[-1] == "| 64, 1536, 2560, 6 | 16 | 82 | 293.8 | 281.6 | 1.04 |"


def test_of_equal_times_vllms_own_is_kept() -> None:
    assert tiles.best({0: 5.0, 1: 5.0, 2: 6.0}) == 0
    assert tiles.best({0: 5.0, 1: float("inf"), 2: 4.0}) == 2


def test_a_shape_is_four_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiles.parser().parse_args(["out", "64,1536,2560,6"]).shapes == [SHAPE]
    with pytest.raises(SystemExit):
        tiles.parser().parse_args(["out", "64,1536"])
    assert "64,1536" in capsys.readouterr().err


def test_prompts_of_a_seed_are_the_same_and_of_another_are_not() -> None:
    one, again, other = step.prompts(1), step.prompts(1), step.prompts(2)
    assert one == again
    assert one[0] != other[0]
    assert len(one[0]["prompt_token_ids"]) == 8000
