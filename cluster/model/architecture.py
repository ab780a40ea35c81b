"""The shape of a model, as far as its size depends on it. All values are frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cluster.model.heads import Heads

#: The place of a matrix outside the layers: on one pipeline stage, or on all of them.
Place = Literal["first", "last", "first and last", "every"]


@dataclass(frozen=True)
class Experts:
    """Experts of one kind in the layers from `first` to `last`; `size` is the width of the FFN of each expert."""

    kind: str
    number: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Moe:
    """Layers with experts: every `interval`-th from the first to the last layer of any kind, except those in
    `dense`.

    `shared` is the width of all shared experts together, 0 where there are none. `gate_bytes` is the size of an
    element of a router, 0 where it has the model's own type. `gate_quantized` is whether quantization includes the
    router. `biased` is whether each kind has a bias that corrects its choice.
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
        """Returns whether this layer has experts."""
        inside = min(kind.first for kind in self.kinds) <= layer <= max(kind.last for kind in self.kinds)
        return inside and (layer + 1) % self.interval == 0 and layer not in self.dense


@dataclass(frozen=True)
class Vision:
    """The vision tower, and the resampler that passes its output to the language model.

    `pixels` is the width of the resampler's input. `spatial` and `temporal` are the numbers of neighbours that it
    joins; `temporal` is 0 where it joins none in time.
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
    """A decoder, with the parts before it.

    `dtype` is the type in which its checkpoint is published. `ffn` is the width of a layer without experts.
    `biases` are the matrices with a bias: qkv, o, ffn.
    `rotary` is the number of positions of the rotary cache. It exists once for the whole model, or in every layer
    with `rotary_each`.
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
