"""GPUs: number, memory, idleness."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.gpus import idle, memory, number, reported
from cluster.values import Gpu, GpuProcess
from tests.cluster.builders import card, facts, inventory
from tests.cluster.preflight.findings import found_on_head

OURS = GpuProcess(pid=7, name="VLLM::Worker", used_mib=61_000, ours=True)
THEIRS = GpuProcess(pid=8, name="python train.py", used_mib=900, ours=False, user="ann", age=3.5 * 3600)
HIDDEN = GpuProcess(pid=9, name="[No data]", used_mib=None, ours=False)


def cards(*indices: int) -> tuple[Gpu, ...]:
    return tuple(map(card, indices))


@pytest.mark.parametrize(
    ("ids", "gpus", "expected"),
    [
        (None, cards(0, 1), []),
        (None, cards(0), ["1 GPUs (index 0)"]),
        (None, (), ["0 GPUs (index none)"]),
        (None, cards(0, 1, 2), ["3 GPUs (index 0, 1, 2)"]),
        ((1, 3), cards(0, 1, 2, 3), []),
        ((1, 3), cards(0, 1, 2), ["3 GPUs (index 0, 1, 2)"]),
    ],
)
def test_as_many_as_declared(ids: tuple[int, ...] | None, gpus: tuple[Gpu, ...], expected: list[str]) -> None:
    one = inventory(gpus=2, each={"gpu_ids": ids})
    assert found_on_head(number, {"gpus": gpus}, one) == [("blocking", text) for text in expected]


def test_what_was_wanted_names_the_chosen_ones() -> None:
    one = inventory(gpus=2, each={"gpu_ids": (1, 3)})
    assert [finding.wanted for finding in number(one, one.head, facts(one.head, gpus=()))] == ["GPUs 1, 3"]


def test_without_nvidia_smi_nothing_is_known() -> None:
    assert found_on_head(number, {"gpus": (), "gpu_problem": "nvidia-smi: gone"}) == [
        ("blocking", "nvidia-smi: gone")
    ]


def test_a_driver_that_was_updated_under_its_module_wants_a_reboot() -> None:
    one = inventory(1)
    problem = "nvidia-smi: Failed to initialize NVML: Driver/library version mismatch"
    (finding,) = number(one, one.head, facts(one.head, gpus=(), gpu_problem=problem))
    assert finding.cure.startswith("reboot this host")


@pytest.mark.parametrize(
    ("least", "sizes", "expected"),
    [
        (0, (1, 1), []),
        (81_000, (81_559, 81_559), []),
        (81_000, (81_559, 40_960), [("blocking", "GPU 1: 40960 MiB")]),
        (81_000, (0, 40_960), [("blocking", "GPU 0, 1: 0 MiB")]),
    ],
)
def test_as_large_as_declared(least: int, sizes: tuple[int, ...], expected: list[tuple[str, str]]) -> None:
    one = inventory(gpus=2, each={"min_gpu_memory_mib": least})
    gpus = tuple(card(index, memory_mib=size) for index, size in enumerate(sizes))
    assert found_on_head(memory, {"gpus": gpus}, one) == expected


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        (card(0), []),
        (card(0, used_mib=700), []),
        (card(0, OURS), []),
        (card(0, OURS, used_mib=70_000), []),
        (card(0, THEIRS), ["GPU 0: pid 8 python train.py (900 MiB, of ann for 3 hours)"]),
        (card(0, OURS, THEIRS), ["GPU 0: pid 8 python train.py (900 MiB, of ann for 3 hours)"]),
        (card(0, HIDDEN), ["GPU 0: pid 9 [No data] (unknown size, not visible in /proc)"]),
        (card(0, used_mib=9000), ["GPU 0: 9000 MiB are in use, but nvidia-smi shows no process"]),
    ],
)
def test_idle_but_for_our_own(gpu: Gpu, expected: list[str]) -> None:
    assert found_on_head(idle, {"gpus": (gpu, card(1))}) == [("blocking", text) for text in expected]


def test_gpus_that_we_do_not_use_may_be_busy() -> None:
    one = inventory(gpus=1, each={"gpu_ids": (1,)})
    seen: dict[str, Any] = {"gpus": (card(0, THEIRS), card(1))}
    assert found_on_head(idle, seen, one) == []


@pytest.mark.parametrize("missing", ["memory_mib", "used_mib"])
def test_what_nvidia_smi_does_not_say_is_unchecked_and_not_well(missing: str) -> None:
    one = inventory(gpus=1)
    silent = {"gpus": (card(0).model_copy(update={missing: None}),)}
    (unreported,) = found_on_head(reported, silent, one)
    assert unreported[0] == "unchecked"
    assert found_on_head(memory, silent, one) + found_on_head(idle, silent, one) == []
    assert found_on_head(reported, {"gpus": (card(0),)}, one) == []
