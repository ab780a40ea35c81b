"""A load is told from ranks that wait for each other."""

from __future__ import annotations

from itertools import count

import pytest

from cluster.engine.load_progress import LoadDetector

MIB, GIB = 1 << 20, 1 << 30


def loads(per_second: int, seconds: int, gpus: int = 4, between: int = 1) -> int:
    """How often a load was seen when all ranks together read so many bytes a second, looked at each `between`."""
    clock = count(1, between)
    reading = LoadDetector(gpus, lambda: float(next(clock)))
    return [reading.loads(second * per_second) for second in range(0, seconds, between)][-1]


@pytest.mark.parametrize("gpus", [1, 4, 16, 64])
@pytest.mark.parametrize("per_gpu", [4 * MIB, 100 * MIB, GIB])
def test_ranks_that_load_are_seen_again_and_again(gpus: int, per_gpu: int) -> None:
    assert loads(gpus * per_gpu, 300, gpus) >= 15


@pytest.mark.parametrize("gpus", [1, 4, 16, 32, 64])
@pytest.mark.parametrize("between", [1, 110])
def test_ranks_that_only_poll_never_load(gpus: int, between: int) -> None:
    """Four ranks that hung for three minutes read less than 0.1 GiB of sockets: 0.15 MiB a second each."""
    assert loads(gpus * MIB * 15 // 100, 3600, gpus, between) == 0


def test_what_ranks_have_read_before_is_no_load() -> None:
    reading = LoadDetector(4, lambda: 0.0)
    assert [reading.loads(GIB), reading.loads(GIB), reading.loads(2 * GIB)] == [0, 0, 1]


def test_a_rank_that_ends_takes_its_count_with_it() -> None:
    clock = count(1)
    reading = LoadDetector(4, lambda: float(next(clock)))
    assert [reading.loads(read) for read in (8 * GIB, GIB, GIB + 10 * MIB, 2 * GIB)][-2:] == [0, 1]
