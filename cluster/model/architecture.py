"""The shape of a model, as far as its size depends on it. Frozen, all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cluster.model.heads import Heads

#: Where a matrix is that belongs to no layer: on one pipeline stage, or on all of them.
Place = Literal["first", "last", "first and last", "every"]


@dataclass(frozen=True)
class Experts:
    """Experts of one kind in the layers from `first` to `last`; `size` is the width of each one's FFN."""

    kind: str
    number: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Moe:
    """Layers with experts: every `interval`-th from the first to the last that any kind names, but for `dense`.

    `shared` is the width of all shared experts together, 0 where there are none. `gate_bytes` is the size of an
    element of a router, 0 where that has the model's own type; `gate_quantized` tells whether quantization goes
    over it; `biased` whether each kind has a bias that corrects its choice.
    """

    kinds: tuple[Experts, ...]
    top_k: int
    shared: int = 0
    interval: int = 1
    dense: tuple[int, ...] = ()
    gate_bytes: int = 0
    gate_quantized: bool = False
    biased: bool = False

    def holds(self, layer: int) -> bool:
        """Whether this layer has experts."""
        inside = min(kind.first for kind in self.kinds) <= layer <= max(kind.last for kind in self.kinds)
        return inside and (layer + 1) % self.interval == 0 and layer not in self.dense


@dataclass(frozen=True)
class Vision:
    """The vision tower, and the resampler that takes its output to the language model.

    `pixels` is the width that the resampler is given, `spatial` and `temporal` are how many neighbours it joins;
    `temporal` 0 where it joins none in time.
    """

    depth: int
    width: int
    heads: int
    ffn: int
    patch: int
    pixels: int
    spatial: int
    temporal: int


@dataclass(frozen=True)
class Architecture:
    """A decoder, and what stands before it.

    `dtype` is the type in which its checkpoint is published. `ffn` is the width of a layer without experts.
    `biases` are the matrices that have one: qkv, o, ffn. `rotary` is how many positions the cosines and sines of
    the rotary embedding are kept for, once for the whole model or, with `rotary_each`, in every layer.
    """

    name: str
    dtype: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    vocabulary: int
    context: int
    tied: bool
    embedded: Place
    headed: Place
    rotary: int
    rotary_each: bool = False
    biases: frozenset[str] = frozenset()
    qk_norms: bool = False
    moe: Moe | None = None
    vision: Vision | None = None
    remote_code: bool = False
    splits_when_tied: bool = True

    @property
    def attention(self) -> Heads:
        return Heads(self.heads, self.kv_heads)
