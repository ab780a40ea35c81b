"""Tokens an expert, and experts that a step of decode reads, from the routes that an engine recorded."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Of so many steps, evenly apart, the experts are counted.
_STEPS = 100
#: One layer: of each sequence, of each token, its experts.
Layer = Sequence[Sequence[bytes]]


@dataclass(frozen=True)
class Shape:
    """The shape of a recording: sequences one after another, all of one length, answers at their ends."""

    sequences: int
    prompt: int
    answer: int
    experts: int
    experts_a_token: int

    @property
    def length(self) -> int:
        return self.prompt + self.answer


def read(folder: Path, shape: Shape) -> list[Layer]:
    """Raises ValueError where a layer did not record all tokens, once each."""
    return [_layer(path, shape) for path in sorted(folder.glob("layer-*"))]


def _layer(path: Path, shape: Shape) -> Layer:
    content, each = path.read_bytes(), shape.experts_a_token
    wanted = shape.sequences * shape.length * each
    if len(content) != wanted:
        raise ValueError(f"{path} has {len(content)} bytes, not {wanted}")
    tokens = [content[at : at + each] for at in range(0, wanted, each)]
    return [tokens[at : at + shape.length] for at in range(0, len(tokens), shape.length)]


def tokens_an_expert(layer: Layer, shape: Shape) -> list[int]:
    """Counts the tokens of the answers alone."""
    found = Counter(expert for sequence in layer for token in sequence[shape.prompt :] for expert in token)
    return [found[expert] for expert in range(shape.experts)]


def experts_hit(layer: Layer, shape: Shape, sequences: int) -> float:
    """The mean over the answers' steps of how many experts one step reads, with so many sequences at once. More
    than were recorded: those of other steps are taken for more sequences."""
    steps, times = range(shape.prompt, shape.length), -(-sequences // len(layer))
    apart = len(steps) // times
    return statistics.mean(
        _hit(layer, [steps[(at + turn * apart) % len(steps)] for turn in range(times)], sequences)
        for at in range(0, len(steps), max(1, len(steps) // _STEPS))
    )


def _hit(layer: Layer, steps: Sequence[int], sequences: int) -> int:
    tokens = [sequence[step] for step in steps for sequence in layer]
    return len({expert for token in tokens[:sequences] for expert in token})


def by_chance(experts: int, experts_a_token: int, tokens: int) -> float:
    """How many experts would be hit if each token chose by lot."""
    return float(experts * (1 - (1 - experts_a_token / experts) ** tokens))


def summary(layers: Sequence[Layer], shape: Shape, sizes: Sequence[int]) -> dict[str, Any]:
    counts = [tokens_an_expert(layer, shape) for layer in layers]
    even = shape.sequences * shape.answer * shape.experts_a_token / shape.experts
    hit = {size: statistics.mean(experts_hit(layer, shape, size) for layer in layers) for size in sizes}
    return {
        "tokens": shape.sequences * shape.answer,
        "even_tokens_an_expert": even,
        "most_over_even": round(max(max(one) for one in counts) / even, 3),
        "least_over_even": round(min(min(one) for one in counts) / even, 3),
        "deviation_over_even": round(statistics.mean(statistics.pstdev(one) for one in counts) / even, 3),
        "experts_hit": {str(size): round(value, 2) for size, value in hit.items()},
        "experts_hit_by_chance": {
            str(size): round(by_chance(shape.experts, shape.experts_a_token, size), 2) for size in sizes
        },
        "tokens_an_expert": counts,
    }
