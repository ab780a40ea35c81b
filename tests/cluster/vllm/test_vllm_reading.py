"""A load is told from ranks that wait for each other."""

from __future__ import annotations

from itertools import count

import pytest

from cluster.vllm.reading import Reading

MIB, GIB = 1 << 20, 1 << 30


def loads(per_second: int, seconds: int) -> int:
    """How often a load was seen when all ranks together read so many bytes a second."""
    clock = count(1)
    reading = Reading(lambda: float(next(clock)))
    return [reading.loads(second * per_second) for second in range(seconds)][-1]


@pytest.mark.parametrize("per_second", [8 * MIB, 100 * MIB, 6 * GIB])
def test_ranks_that_load_are_seen_again_and_again(per_second: int) -> None:
    assert loads(per_second, 300) >= 15


@pytest.mark.parametrize("per_second", [0, MIB // 2, 3 * MIB])
def test_ranks_that_only_poll_never_load(per_second: int) -> None:
    """Four ranks that hung for three minutes read less than 0.1 GiB of sockets in that time: 0.6 MiB a second."""
    assert loads(per_second, 3600) == 0


def test_what_ranks_have_read_before_is_no_load() -> None:
    reading = Reading(lambda: 0.0)
    assert [reading.loads(GIB), reading.loads(GIB), reading.loads(2 * GIB)] == [0, 0, 1]


def test_a_rank_that_ends_takes_its_count_with_it() -> None:
    clock = count(1)
    reading = Reading(lambda: float(next(clock)))
    assert [reading.loads(read) for read in (8 * GIB, GIB, GIB + 10 * MIB, 2 * GIB)][-2:] == [0, 1]
