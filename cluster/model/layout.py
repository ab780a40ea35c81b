"""The layout of a model on ranks: tensor and pipeline parallelism, types, and the obstacles to a split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.model import tensors
from cluster.model.architecture import Architecture
from cluster.model.tensors import Tensor

#: Bytes of an element, by the names in checkpoints and `--dtype`.
BYTES = {"bfloat16": 2, "float16": 2, "half": 2, "float32": 4, "float": 4}

#: Quantization during the load, to one byte for each element. The scales of a matrix or row are left out: they are
#: less than a thousandth.
ONLINE_FP8 = ("fp8", "fp8_per_tensor", "fp8_per_channel")


@dataclass(frozen=True)
class Layout:
    """A layout.

    `element` and `kv_element` are bytes of a weight and of a cached key or value. `fp8` quantizes weights during
    the load. `text_only` leaves out the vision part. `by_expert` splits experts by number, not by width.
    """

    tensor_parallel_size: int
    pipeline_parallel_size: int = 1
    element: int = 2
    kv_element: int = 2
    fp8: bool = False
    text_only: bool = False
    by_expert: bool = False

    @property
    def gpus(self) -> int:
        return self.tensor_parallel_size * self.pipeline_parallel_size

    def bytes_of(self, tensor: Tensor) -> int:
        """Returns the bytes of a tensor on one GPU."""
        if self.fp8 and tensor.quantized:
            return tensor.on_gpu(self.tensor_parallel_size)
        return tensor.on_gpu(self.tensor_parallel_size) * (tensor.bytes_each or self.element)


def layers_of_stages(layers: int, number: int) -> tuple[range, ...]:
    """Returns the layers of each of `number` pipeline stages, as vLLM's `get_pp_indices` does.

    They are as even as possible; the rest goes to the stages before the last.
    """
    sizes = [layers // number] * number
    for place in range(2, layers % number + 2):
        sizes[-place] += 1
    ends = [sum(sizes[: place + 1]) for place in range(number)]
    return tuple(range(end - size, end) for end, size in zip(ends, sizes, strict=True))


def tensors_on_stage(shape: Architecture, layout: Layout, stage: int) -> Iterator[Tensor]:
    """Yields the tensors of which a GPU of this pipeline stage has its share."""
    first, last = stage == 0, stage == layout.pipeline_parallel_size - 1
    if _placed(shape.embedded, first, last):
        yield tensors.embedding(shape)
    for index in layers_of_stages(shape.layers, layout.pipeline_parallel_size)[stage]:
        yield from tensors.layer(shape, index)
    if _placed(shape.headed, first, last):
        yield tensors.last(shape)
        if not (shape.tied and _placed(shape.embedded, first, last)):
            yield tensors.embedding(shape, "logits")
    yield from tensors.everywhere(shape)
    if shape.vision and not layout.text_only:
        yield from tensors.vision(shape.vision, shape.hidden)


def _placed(place: str, first: bool, last: bool) -> bool:
    return {"first": first, "last": last, "first and last": first or last, "every": True}[place]


def obstacles(shape: Architecture, layout: Layout) -> Iterator[str]:
    """Yields, in the operator's words, why vLLM would refuse this layout, whatever the GPUs."""
    ways, stages = layout.tensor_parallel_size, layout.pipeline_parallel_size
    yield from _heads(shape, ways)
    for what, size in _widths(shape, layout):
        if size % ways:
            yield f"{what} ({size:,}) cannot be split into {ways} equal parts"
    if stages > shape.layers:
        yield f"{stages} stages, but the model has {shape.layers} layers"
    if stages > 1 and shape.tied and not shape.splits_when_tied:
        yield f"vLLM cannot build {shape.name} over pipeline stages because its embeddings are its logits as well"


def _heads(shape: Architecture, ways: int) -> Iterator[str]:
    if not shape.attention.splits_queries(ways):
        yield f"{shape.heads} attention heads cannot be split into {ways} equal parts"
    if not shape.attention.splits_keys_and_values(ways):
        yield f"{shape.kv_heads} heads of keys and values cannot be split or repeated evenly over {ways} GPUs"
    # They are built and checked even where only language is served.
    if shape.vision and shape.vision.heads % ways:
        yield f"{shape.vision.heads} heads of the vision tower cannot be split into {ways} equal parts"


def _widths(shape: Architecture, layout: Layout) -> Iterator[tuple[str, int]]:
    moe, every = shape.moe, range(shape.layers)
    if moe is None or any(_has_dense(shape, index) for index in every):
        yield "the width of the dense FFN", shape.ffn
    for kind in moe.kinds if moe and not layout.by_expert else ():
        yield f"the width of the {kind.kind}", kind.size
    if moe and moe.shared:
        yield "the width of the shared experts", moe.shared
    yield "the padded vocabulary", -(-shape.vocabulary // 64) * 64
    if shape.vision:
        yield "the FFN of the vision tower", shape.vision.ffn
        yield "the width of the resampler", shape.vision.pixels * shape.vision.spatial**2
        yield "the hidden size", shape.hidden


def _has_dense(shape: Architecture, index: int) -> bool:
    moe = shape.moe
    return moe is None or not moe.holds(index) or any(not kind.first <= index <= kind.last for kind in moe.kinds)
