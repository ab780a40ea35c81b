"""Whether a model fits: the weights of each rank, its other memory, and the memory left for the KV cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from cluster.model.architecture import Architecture
from cluster.model.layout import Layout, layers_of_stages, tensors_on_stage
from cluster.model.overhead import Service, Share, overhead
from cluster.model.tensors import ROTARY, Tensor

#: The memory that nvidia-smi counts and CUDA does not give: an H100 has 81,559 MiB by nvidia-smi, and 79.1 GiB by
#: CUDA.
_RESERVED = 600 << 20


@dataclass(frozen=True)
class PipelineStage:
    """A GPU of one pipeline stage; all GPUs of the stage are alike. All values are bytes.

    `weights` is the number in vLLM's `Model loading took`: parameters and rotary caches, less the offloaded part.
    `parts` are the parts of both. `beside` is the other memory.
    `left` is the memory for a KV cache. It is below 0 where even the rest does not fit, and None where the memory
    of the GPU is unknown.
    """

    layers: range
    weights: int
    offloaded: int
    parts: tuple[Share, ...]
    beside: tuple[Share, ...]
    kv_per_token: int
    left: int | None


@dataclass(frozen=True)
class Fit:
    """A model in a layout.

    `memory` is that of each GPU in bytes as nvidia-smi counts, or None where it is unknown. `budget` is the part
    that vLLM may use.
    """

    layout: Layout
    service: Service
    memory: int | None
    budget: int | None
    stages: tuple[PipelineStage, ...]

    @property
    def largest(self) -> PipelineStage:
        """Returns the stage with the most weights."""
        return max(self.stages, key=lambda stage: stage.weights)

    @property
    def blocks(self) -> int | None:
        """Returns the blocks of the KV cache: the smallest number of all stages."""
        rooms = [self._room(stage) for stage in self.stages]
        if None in rooms:
            return None
        sizes = [stage.kv_per_token * self.service.block for stage in self.stages]
        return min(max(0, room or 0) // size for room, size in zip(rooms, sizes, strict=True))

    @property
    def kv_tokens(self) -> int | None:
        """Returns the tokens of the whole KV cache as vLLM counts them: those of requests of full length, in whole
        blocks."""
        return None if self.requests is None else int(self.requests * self.service.max_model_len)

    @property
    def requests(self) -> float | None:
        """Returns the number of requests of full length that fit at once."""
        return None if self.blocks is None else self.blocks / self._blocks_a_request

    @property
    def lacking(self) -> int | None:
        """Returns the missing bytes on the GPU that lacks the most."""
        lacks = [self._lacks(stage, stage.left) for stage in self.stages if stage.left is not None]
        return max(lacks, default=None)

    @property
    def fits(self) -> bool | None:
        """Returns whether a request of full length fits beside the rest: otherwise vLLM does not start."""
        return None if self.lacking is None else self.lacking == 0

    @property
    def longest(self) -> int:
        """Returns the tokens of the longest request that would fit; 0 where the weights alone do not."""
        return max(0, (self.blocks or 0) - 1) * self.service.block

    @property
    def _blocks_a_request(self) -> int:
        return -(-self.service.max_model_len // self.service.block)

    def _room(self, stage: PipelineStage) -> int | None:
        rooms = [room for room in (stage.left, self.service.cache) if room is not None]
        return min(rooms, default=None)

    def _lacks(self, stage: PipelineStage, left: int) -> int:
        """Returns the missing bytes. vLLM keeps one block to itself. A cache of a given size must fit, needed or
        not."""
        needed = (self._blocks_a_request + 1) * self.service.block * stage.kv_per_token
        room = left if self.service.cache is None else min(left, self.service.cache)
        return max(0, needed - room, (self.service.cache or 0) - left)


def fit(shape: Architecture, layout: Layout, service: Service, memory: int | None) -> Fit:
    """Computes the memory of a model. `memory` is as in `Fit`.

    A layout that vLLM would refuse is computed as if the model could be split so.
    """
    # If the cache has a given size, vLLM ignores its budget: only the GPU's memory counts.
    share = service.utilization if service.cache is None else 1.0
    budget = None if memory is None else int((memory - _RESERVED) * share)
    stages = tuple(
        _stage(shape, layout, service, number, budget) for number in range(layout.pipeline_parallel_size)
    )
    return Fit(layout, service, memory, budget, stages)


def _stage(
    shape: Architecture, layout: Layout, service: Service, number: int, budget: int | None
) -> PipelineStage:
    layers = layers_of_stages(shape.layers, layout.pipeline_parallel_size)[number]
    parts = by_part(shape, layout, number)
    whole = sum(parts.values())
    weights = whole - min(service.offload, whole)
    beside = overhead(shape, layout, service, number)
    keys = shape.attention.keys_on_gpu(layout.tensor_parallel_size)
    return PipelineStage(
        layers=layers,
        weights=weights,
        offloaded=whole - weights,
        parts=tuple(Share(part, size) for part, size in parts.items()),
        beside=beside,
        kv_per_token=2 * len(layers) * keys * shape.head_size * layout.kv_element,
        left=None if budget is None else budget - weights - sum(share.size for share in beside),
    )


@cache
def parameters(shape: Architecture) -> Mapping[str, int]:
    """Returns the parameters of the whole model, by part."""
    return _by_part((tensor, tensor.parameters) for tensor in _whole(shape))


def checkpoint_bytes(shape: Architecture, element: int) -> int:
    """Returns the approximate size of its files on a disk: all in one type."""
    return sum(parameters(shape).values()) * element


@cache
def by_part(shape: Architecture, layout: Layout, stage: int) -> Mapping[str, int]:
    """Returns the bytes on a GPU of this stage, by part."""
    return _by_part((tensor, layout.bytes_of(tensor)) for tensor in tensors_on_stage(shape, layout, stage))


def _whole(shape: Architecture) -> Iterable[Tensor]:
    return (tensor for tensor in tensors_on_stage(shape, Layout(1), 0) if tensor.part != ROTARY)


def _by_part(sizes: Iterable[tuple[Tensor, int]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for tensor, size in sizes:
        totals[tensor.part] += size
    return totals
