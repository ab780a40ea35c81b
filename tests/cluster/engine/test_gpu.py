"""Which GPUs are ours to use, and what is on them."""

from __future__ import annotations

import pytest

from cluster.engine.gpu import IDLE_MIB, foreign, selected, unexplained_mib
from cluster.values import GpuProcess
from tests.cluster.builders import card, facts, inventory

OURS = GpuProcess(pid=1, name="VLLM::Worker", used_mib=60_000, ours=True)
THEIRS = GpuProcess(pid=2, name="python", used_mib=500, ours=False)


@pytest.mark.parametrize(("ids", "indices"), [(None, [0, 1, 2, 3]), ((1, 3), [1, 3]), ((1, 9), [1])])
def test_the_inventory_chooses(ids: tuple[int, ...] | None, indices: list[int]) -> None:
    spec = inventory(gpus=2, each={"gpu_ids": ids}).head
    found = facts(spec, gpus=tuple(map(card, range(4))))
    assert [gpu.index for gpu in selected(spec, found)] == indices


def test_processes_of_others() -> None:
    assert foreign(card(0, OURS, THEIRS)) == (THEIRS,)
    assert foreign(card(0, OURS)) == ()


@pytest.mark.parametrize(
    ("used", "processes", "unexplained"),
    [
        (0, (), 0),
        (IDLE_MIB, (), 0),
        (IDLE_MIB + 1, (), 1),
        (60_000 + IDLE_MIB, (OURS,), 0),
        (70_000, (OURS,), 70_000 - 60_000 - IDLE_MIB),
    ],
)
def test_memory_that_no_process_accounts_for(
    used: int, processes: tuple[GpuProcess, ...], unexplained: int
) -> None:
    assert unexplained_mib(card(0, *processes, used_mib=used)) == unexplained
