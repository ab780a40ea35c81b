"""What would make a model fit: each lever computed, and what it promises holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.model import Layout, Lever, architecture, fit, levers
from cluster.model.overhead import Service
from tests.cluster.model.configs import CONFIGS

GIB = 1 << 30
H100 = 81_559 << 20


def offered(
    layout: Layout, memory: int = H100, host: int = 8, name: str = "424b", service: Service | None = None
) -> dict[str, Lever]:
    shape = architecture(CONFIGS[name])
    levers_by_name = fit(shape, layout, service or Service(131_072), memory)
    return {one.what: one for one in levers(shape, levers_by_name, memory, host)}


def test_the_424b_in_bf16_on_eight_gpus_of_80_gb() -> None:
    levers_by_name = offered(Layout(8))
    assert {what: (one.change, one.fit.fits) for what, one in levers_by_name.items()} == {
        "weights in FP8": ("--quantization fp8_per_tensor", True),
        "16 GPUs": ("tensor_parallel_size: 16, pipeline_parallel_size: 1", True),
        "336 GiB of weights in the memory of each host, read over PCIe": ("--cpu-offload-gb 42", True),
    }


def test_one_gpu_is_not_enough_in_any_way_but_more() -> None:
    levers_by_name = offered(Layout(1), host=1)
    assert levers_by_name["weights in FP8"].fit.fits is False
    assert levers_by_name["16 GPUs"].fit.layout == Layout(16)
    assert (
        levers_by_name["756 GiB of weights in the memory of each host, read over PCIe"].change
        == "--cpu-offload-gb 756"
    )


def test_no_context_is_offered_that_the_model_was_not_made_for() -> None:
    levers_by_name = offered(Layout(16), service=Service(500_000))
    assert levers_by_name["a shorter context"].change == "--max-model-len 131072"


def test_a_shorter_context_where_only_the_cache_is_too_small() -> None:
    levers_by_name = offered(Layout(8, fp8=True), 70 * GIB)
    shorter = levers_by_name["a shorter context"]
    assert shorter.fit.fits
    assert shorter.fit.service.max_model_len % 1024 == 0
    assert shorter.change == f"--max-model-len {shorter.fit.service.max_model_len}"
    # Quantized already; and what is quantized is not moved.
    assert set(levers_by_name) == {"a shorter context", "16 GPUs"}


def test_the_rotary_caches_follow_the_context_only_when_told() -> None:
    service = Service(32_768)
    levers_by_name = offered(Layout(8, fp8=True), 66 * GIB, service=service)
    smaller = levers_by_name["rotary caches only for the context"]
    before = fit(architecture(CONFIGS["424b"]), Layout(8, fp8=True), service, 66 * GIB)
    assert before.largest.weights - smaller.fit.largest.weights == 54 * (128 << 20) * 3 // 4
    assert smaller.change == '--hf-overrides {"max_position_embeddings": 32768}'
    assert (before.fits, smaller.fit.fits) == (False, True)


@pytest.mark.parametrize(("hosts", "host", "gpus"), [(1, 8, 16), (2, 4, 16), (1, 3, 4), (2, 2, 4)])
def test_hosts_are_added_whole(hosts: int, host: int, gpus: int) -> None:
    """One host of a few GPUs may have any number, several hosts have as many each."""
    name, layout, memory = ("424b", Layout(8), H100) if host > 3 else ("28b-odd", Layout(1), 24 * GIB)
    service = Service(131_072, hosts=hosts)
    shape = architecture(CONFIGS[name])
    more = offered(layout, memory, host, name, service)[f"{gpus} GPUs"]
    assert more.fit.layout.gpus == gpus
    assert more.fit == fit(shape, more.fit.layout, replace(service, hosts=more.fit.service.hosts), memory)


def test_no_number_of_gpus_is_promised_that_vllm_refuses() -> None:
    """28B: heads of 20 and 4, and no pipeline with one matrix for embeddings and logits."""
    levers_by_name = offered(Layout(1), 32 * GIB, 1, "28b")
    assert levers_by_name["4 GPUs"].fit.layout == Layout(4)
    assert not [what for what in offered(Layout(1), 16 * GIB, 1, "28b") if what.endswith("GPUs")]
