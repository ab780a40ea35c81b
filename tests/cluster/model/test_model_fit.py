"""Whether a model fits: against what is known of ERNIE-4.5-VL, and against the logs of real starts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.model import Fit, Layout, architecture, fit
from cluster.model.fit import by_part
from cluster.model.layout import layers_of_stages
from cluster.model.overhead import Service, overhead
from cluster.model.tensors import ROTARY
from sandbox import model as sandbox_model
from sandbox.layout import MODEL
from sandbox.root import place
from tests.cluster.model.configs import CONFIGS

GIB = 1 << 30
H100 = 81_559 << 20
H200 = 143_771 << 20
LOGS = Path(__file__).parents[2] / "recorded/vllm"
FULL = Service(131_072)


def fitted(layout: Layout, memory: int | None = H100, service: Service = FULL, name: str = "424b") -> Fit:
    return fit(architecture(CONFIGS[name]), layout, service, memory)


@pytest.mark.parametrize(
    ("layout", "parameters"),
    [(Layout(16), 49.6), (Layout(8), 98.8), (Layout(8, fp8=True), 49.6), (Layout(16, fp8=True), 24.9)],
)
def test_parameters_of_the_424b_on_each_gpu(layout: Layout, parameters: float) -> None:
    """GiB; and in each of 54 layers 128 MiB of cosines and sines, for four times the context."""
    parts = by_part(architecture(CONFIGS["424b"]), layout, 0)
    assert parts[ROTARY] == 54 * (128 << 20)
    assert round((sum(parts.values()) - parts[ROTARY]) / GIB, 1) == parameters
    assert fitted(layout).largest.weights == sum(parts.values())


def test_a_token_of_the_424b_takes_as_much_at_tp8_as_at_tp16() -> None:
    """Eight heads of keys and values: sixteen GPUs have one each, twice."""
    assert [fitted(Layout(tp)).largest.kv_per_token for tp in (1, 4, 8, 16)] == [221_184, 55_296, 27_648, 27_648]
    assert fitted(Layout(8, kv_element=1)).largest.kv_per_token == 13_824


@pytest.mark.parametrize(
    ("layout", "memory", "fits"),
    [
        (Layout(16), H100, True),
        (Layout(8), H200, True),
        (Layout(8, fp8=True), H100, True),
        (Layout(8, 2), H100, True),
        (Layout(8), H100, False),
        (Layout(4, fp8=True), H100, False),
    ],
)
def test_which_layouts_fit(layout: Layout, memory: int, fits: bool) -> None:
    one = fitted(layout, memory)
    assert one.fits is fits
    assert (one.lacking == 0) is fits
    assert (one.requests or 0) >= fits


def test_what_is_lacking_is_just_enough() -> None:
    one = fitted(Layout(8))
    assert one.lacking is not None
    assert fitted(Layout(8), service=replace(FULL, offload=one.lacking)).fits
    assert fitted(Layout(8), service=replace(FULL, offload=one.lacking - 1)).fits is False


def test_offloaded_weights_are_no_weights() -> None:
    whole, part = fitted(Layout(8)).largest, fitted(Layout(8), service=replace(FULL, offload=50 * GIB)).largest
    assert part.offloaded == 50 * GIB
    assert whole.weights == part.weights + 50 * GIB


def test_the_longest_context_fits_and_one_block_more_does_not() -> None:
    tight = fitted(Layout(8, fp8=True), 70 * GIB)
    assert tight.fits is False
    assert 0 < tight.longest < 131_072
    lengths = (tight.longest, tight.longest + 1)
    fits = [fitted(Layout(8, fp8=True), 70 * GIB, replace(FULL, max_model_len=one)).fits for one in lengths]
    assert fits == [True, False]


def test_without_the_memory_only_the_cache_is_not_known() -> None:
    one = fitted(Layout(16), None)
    assert (one.fits, one.kv_tokens, one.requests, one.lacking, one.budget) == (None, None, None, None, None)
    assert one.largest.weights == fitted(Layout(16)).largest.weights


def test_a_cache_of_a_given_size_needs_room_but_no_share() -> None:
    given = replace(FULL, cache=4 * GIB, utilization=0.1)
    one = fitted(Layout(16), service=given)
    assert one.fits
    assert one.kv_tokens == 4 * GIB // 27_648 // 16 * 16
    assert fitted(Layout(16), service=replace(FULL, cache=60 * GIB)).fits is False
    assert fitted(Layout(16), None, given).kv_tokens == one.kv_tokens


def test_pipeline_stages_share_the_cache_that_the_fullest_has() -> None:
    one = fitted(Layout(8, 2))
    assert [(stage.layers[0], stage.layers[-1]) for stage in one.stages] == [(0, 26), (27, 53)]
    rooms = [(stage.left or 0) // (stage.kv_per_token * 16) for stage in one.stages]
    assert one.blocks == min(rooms) < max(rooms)


@pytest.mark.parametrize(
    ("layers", "pp", "sizes"), [(54, 1, [54]), (54, 4, [13, 14, 14, 13]), (28, 3, [9, 10, 9]), (5, 3, [2, 2, 1])]
)
def test_layers_are_cut_as_vllm_cuts_them(layers: int, pp: int, sizes: list[int]) -> None:
    """vLLM 0.32, get_pp_indices: what is over goes to the stages before the last, from behind."""
    assert [len(one) for one in layers_of_stages(layers, pp)] == sizes
    assert [index for one in layers_of_stages(layers, pp) for index in one] == list(range(layers))


def test_what_is_needed_beside_the_weights() -> None:
    """3 to 6 GiB, of which the two workspaces of the experts are 1 GiB each."""
    shape = architecture(CONFIGS["424b"])
    shares = overhead(shape, Layout(16), replace(FULL, hosts=2), 0)
    assert {one.what: one.size for one in shares}["workspace of the experts"] == 2 * GIB
    assert 3 * GIB < sum(one.size for one in shares) < 6 * GIB
    eager = overhead(shape, Layout(1, text_only=True), Service(131_072, graphs=False), 0)
    assert not {"CUDA graphs", "NCCL's buffers", "images of 8,192 tokens"} & {one.what for one in eager}


def test_batches_are_what_activations_depend_on() -> None:
    shape = architecture(CONFIGS["424b"])
    large, small = (
        sum(one.size for one in overhead(shape, Layout(16), Service(131_072, batched_tokens=tokens), 0))
        for tokens in (8192, 2048)
    )
    # The workspace of the experts alone shrinks by 1.5 GiB.
    assert 1.5 * GIB < large - small < 2 * GIB


def tiny(tmp_path: Path) -> dict[str, Any]:
    """The model of the sandbox, of which the logs are."""
    place(tmp_path, MODEL).parent.mkdir(parents=True, exist_ok=True)
    sandbox_model.write(tmp_path)
    config: dict[str, Any] = json.loads((place(tmp_path, MODEL) / "config.json").read_text())
    return config


@pytest.mark.parametrize(
    ("log", "tp"), [("ready-tp2-ray.log", 2), ("ready-tp2-mp.log", 2), ("ready-tp16-ray.log", 16)]
)
def test_the_cache_of_real_starts(tmp_path: Path, log: str, tp: int) -> None:
    """Exactly what vLLM said, with the blocks of its build for CPUs; within a thousandth with those for GPUs."""
    reported = re.search(r"KV cache size: ([\d,]+) tokens.*: ([\d.]+)x", (LOGS / log).read_text())
    assert reported is not None
    layout = Layout(tp, element=4, kv_element=4, text_only=True)
    shape = architecture(tiny(tmp_path))
    cpu, gpu = (fit(shape, layout, Service(512, block=block, cache=64 << 20), None) for block in (128, 16))
    assert f"{cpu.kv_tokens:,}" == reported[1]
    assert f"{cpu.requests:.2f}" == reported[2]
    assert cpu.kv_tokens is not None
    assert gpu.kv_tokens == pytest.approx(cpu.kv_tokens, rel=0.001)
