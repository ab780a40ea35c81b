"""The changes that would make a model fit. Each lever is computed alone, with all else unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cluster.model.architecture import Architecture
from cluster.model.fit import Fit, fit
from cluster.model.layout import Layout, obstacles
from cluster.model.overhead import Service

#: The largest multiple of the GPUs, and of the pipeline stages, that is tried.
_MOST = 16
_STAGES = (1, 2, 4)
_GIB = 1 << 30


@dataclass(frozen=True)
class Lever:
    """One change, in words and as the setting to write, with its result."""

    what: str
    change: str
    fit: Fit


def levers(shape: Architecture, planned: Fit, memory: int, gpus_a_host: int) -> tuple[Lever, ...]:
    """Returns all levers for this model and layout, whether or not they suffice. `memory` is as in `fit`."""
    layout, service = planned.layout, planned.service
    return tuple(
        lever
        for ways in (
            _quantized(shape, layout, service, memory),
            _more(shape, layout, service, memory, gpus_a_host),
            _shorter(shape, planned, memory),
            _offloaded(shape, planned, memory, gpus_a_host),
            _fewer_positions(shape, layout, service, memory),
        )
        for lever in ways
    )


def _quantized(shape: Architecture, layout: Layout, service: Service, memory: int) -> Iterator[Lever]:
    if not layout.fp8 and not service.offload:
        weighed = fit(shape, replace(layout, fp8=True), service, memory)
        yield Lever("weights in FP8", "--quantization fp8_per_tensor", weighed)


def _more(shape: Architecture, layout: Layout, service: Service, memory: int, host: int) -> Iterator[Lever]:
    """Yields the smallest number of GPUs on which it fits, in whole hosts where possible; tensor parallelism
    first."""
    step = host if host >= 8 or service.hosts > 1 else 1
    for gpus in range(layout.gpus // step * step + step, _MOST * layout.gpus + 1, step):
        for stages in (number for number in _STAGES if gpus % number == 0):
            wider = replace(layout, tensor_parallel_size=gpus // stages, pipeline_parallel_size=stages)
            if any(obstacles(shape, wider)):
                continue
            weighed = fit(shape, wider, replace(service, hosts=max(1, gpus // max(host, 8))), memory)
            if weighed.fits:
                change = f"tensor_parallel_size: {gpus // stages}, pipeline_parallel_size: {stages}"
                yield Lever(f"{gpus} GPUs", change, weighed)
                return


def _shorter(shape: Architecture, planned: Fit, memory: int) -> Iterator[Lever]:
    # vLLM refuses more than the model allows, even where more would fit.
    longest = min(planned.longest, shape.context)
    longest -= longest % 1024 if longest >= 1024 else 0
    if 0 < longest < planned.service.max_model_len:
        service = replace(planned.service, max_model_len=longest)
        weighed = fit(shape, planned.layout, service, memory)
        yield Lever("a shorter context", f"--max-model-len {longest}", weighed)


def _offloaded(shape: Architecture, planned: Fit, memory: int, host: int) -> Iterator[Lever]:
    """Offloads weights, but not with FP8: vLLM 0.32 would move weights to the host before they exist."""
    if not planned.layout.fp8 and planned.lacking:
        whole = -(-(planned.service.offload + planned.lacking) // _GIB)
        weighed = fit(shape, planned.layout, replace(planned.service, offload=whole * _GIB), memory)
        what = f"{whole * host:,} GiB of weights in the memory of each host, read over PCIe"
        yield Lever(what, f"--cpu-offload-gb {whole}", weighed)


def _fewer_positions(shape: Architecture, layout: Layout, service: Service, memory: int) -> Iterator[Lever]:
    """Helps where every layer keeps its own cosines and sines: their size follows the model's context, not the
    requested one."""
    if shape.rotary_each and service.max_model_len < shape.context:
        smaller = replace(shape, rotary=shape.rotary * service.max_model_len // shape.context)
        change = f'--hf-overrides {{"max_position_embeddings": {service.max_model_len}}}'
        yield Lever("rotary caches only for the context", change, fit(smaller, layout, service, memory))
