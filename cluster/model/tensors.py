"""The tensors that vLLM allocates for a model, and how tensor parallelism splits each of them.

They were read in vLLM 0.32 (`models/ernie45_vl*.py`, `llama.py`, `qwen*.py`, `mixtral.py`, `layers/linear.py`,
`layers/vocab_parallel_embedding.py`). They were compared to the byte with the tensors that its own classes build.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cluster.model.architecture import Architecture, Experts, Moe, Vision

#: none: every GPU has all of it. rows, columns: split evenly. kv: split by heads, and repeated where there are
#: more GPUs than heads. vocabulary: padded to a multiple of 64, then split.
Split = Literal["none", "rows", "columns", "kv", "vocabulary"]

#: vLLM pads a vocabulary to a multiple of this (`DEFAULT_VOCAB_PADDING_SIZE`).
_VOCABULARY_MULTIPLE = 64

ROTARY = "rotary caches"


@dataclass(frozen=True)
class Tensor:
    """`number` equal tensors. `bytes_each` is the size of an element that does not have the model's own type,
    otherwise 0.

    `quantized` is whether quantization during the load includes it. `unit` is a group that must stay whole: the
    rows of a head for `kv`.
    """

    part: str
    rows: int
    columns: int = 1
    split: Split = "none"
    quantized: bool = False
    bytes_each: int = 0
    number: int = 1
    unit: int = 1

    @property
    def parameters(self) -> int:
        """Returns the elements in a checkpoint; rotary caches are in no checkpoint."""
        return 0 if self.part == ROTARY else self.number * self.rows * self.columns

    def on_gpu(self, ways: int) -> int:
        """Returns the elements on one of `ways` GPUs that share it; an equal share of a tensor that cannot be
        split so."""
        if self.split == "none":
            return self.number * self.rows * self.columns
        rows = self.rows
        if self.split == "kv":
            return self.number * max(1, rows // self.unit // ways) * self.unit * self.columns
        if self.split == "vocabulary":
            rows = -(-rows // _VOCABULARY_MULTIPLE) * _VOCABULARY_MULTIPLE
        return self.number * rows * self.columns // ways


def layer(shape: Architecture, index: int) -> Iterator[Tensor]:
    """Yields the tensors of one decoder layer."""
    yield Tensor("norms", shape.hidden, number=2)
    yield from _attention(shape)
    if shape.moe is not None and shape.moe.holds(index):
        yield from _experts(shape, shape.moe, index)
    else:
        yield from _ffn("dense FFN", shape.hidden, shape.ffn, "ffn" in shape.biases)
    if shape.rotary_each:
        yield _rotary(shape)


def _attention(shape: Architecture) -> Iterator[Tensor]:
    part, query, held = "attention", shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    yield Tensor(part, query, shape.hidden, "rows", True)
    yield Tensor(part, held, shape.hidden, "kv", True, number=2, unit=shape.head_size)
    yield Tensor(part, shape.hidden, query, "columns", True)
    if "qkv" in shape.biases:
        yield Tensor(part, query, split="rows")
        yield Tensor(part, held, split="kv", number=2, unit=shape.head_size)
    if "o" in shape.biases:
        yield Tensor(part, shape.hidden)
    if shape.qk_norms:
        yield Tensor("norms", shape.head_size, number=2)


def _ffn(part: str, hidden: int, width: int, biased: bool = False, number: int = 1) -> Iterator[Tensor]:
    """Yields gate, up and down of a gated FFN; the bias of the down projection is on every GPU."""
    yield Tensor(part, 2 * width, hidden, "rows", True, number=number)
    yield Tensor(part, hidden, width, "columns", True, number=number)
    if biased:
        yield Tensor(part, 2 * width, split="rows", number=number)
        yield Tensor(part, hidden, number=number)


def _experts(shape: Architecture, moe: Moe, index: int) -> Iterator[Tensor]:
    if moe.biased:
        yield Tensor("routers", max(kind.number for kind in moe.kinds), len(moe.kinds), bytes_each=4)
    if moe.shared:
        yield from _ffn("shared experts", shape.hidden, moe.shared)
    for kind in moe.kinds:
        if kind.first <= index <= kind.last:
            yield from _kind(shape, moe, kind)
        else:
            yield from _ffn("dense FFN", shape.hidden, shape.ffn, "ffn" in shape.biases)


def _kind(shape: Architecture, moe: Moe, kind: Experts) -> Iterator[Tensor]:
    gate = moe.gate_bytes
    yield Tensor("routers", kind.number, shape.hidden, quantized=moe.gate_quantized, bytes_each=gate)
    yield from _ffn(kind.kind, shape.hidden, kind.size, number=kind.number)


def _rotary(shape: Architecture) -> Tensor:
    return Tensor(ROTARY, shape.rotary, shape.head_size)


def embedding(shape: Architecture, part: str = "embeddings") -> Tensor:
    """Returns the embeddings, or the matrix of logits, which has the same size."""
    return Tensor(part, shape.vocabulary, shape.hidden, "vocabulary")


def last(shape: Architecture) -> Tensor:
    """Returns the norm behind the last layer, before the logits."""
    return Tensor("norms", shape.hidden)


def everywhere(shape: Architecture) -> Iterator[Tensor]:
    """Yields the tensors outside the layers, on every pipeline stage."""
    if not shape.rotary_each:
        yield _rotary(shape)


def vision(tower: Vision, hidden: int) -> Iterator[Tensor]:
    """Yields the vision tower, which every pipeline stage has unless only language is served.

    The resampler is never quantized.
    """
    part = "vision tower"
    yield Tensor(part, tower.width, 3 * tower.patch * tower.patch)
    yield Tensor(part, tower.width, number=2)
    for _ in range(tower.depth):
        yield Tensor(part, tower.width, number=4)
        yield from _linear(part, 3 * tower.width, tower.width, "rows")
        yield from _linear(part, tower.width, tower.width, "columns")
        yield from _linear(part, tower.ffn, tower.width, "rows")
        yield from _linear(part, tower.width, tower.ffn, "columns")
    yield from _resampler(tower, hidden)


def _linear(part: str, rows: int, columns: int, split: Split, quantized: bool = True) -> Iterator[Tensor]:
    yield Tensor(part, rows, columns, split, quantized)
    yield Tensor(part, rows, split="rows" if split == "rows" else "none")


def _resampler(tower: Vision, hidden: int) -> Iterator[Tensor]:
    part, width = "resampler", tower.pixels * tower.spatial * tower.spatial
    inputs = [width, width, *([width * tower.temporal, width] if tower.temporal else [])]
    for columns in inputs:
        yield from _linear(part, width, columns, "rows", quantized=False)
    yield Tensor(part, width, number=len(inputs))
    yield from _linear(part, hidden, width, "rows", quantized=False)
    yield Tensor(part, hidden)
