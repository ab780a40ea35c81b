"""The bytes that one step of decode must read, and so the shortest time that the memory allows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BF16, _FP32 = 2, 4


@dataclass(frozen=True)
class Bytes:
    """The sizes of a text model in bf16 on one GPU. `always`: all weights that every step reads; `expert`: one
    expert of all layers; `token`: the keys and values of one token."""

    always: int
    expert: int
    token: int

    def step(self, experts_hit: float, tokens_cached: float) -> float:
        return self.always + self.expert * experts_hit + self.token * tokens_cached


def of(config: Mapping[str, Any]) -> Bytes:
    """`config` is the model's config.json, in its flat form."""
    hidden, head, layers = config["hidden_size"], config["head_dim"], config["num_hidden_layers"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    width, experts = config["moe_intermediate_size"][0], config["moe_num_experts"][0]
    dense = config["moe_layer_start_index"][0]
    sparse = layers - dense
    attention = hidden * (queries + 2 * keys) + queries * hidden
    shared = 3 * hidden * width * config["moe_num_shared_experts"]
    always = _BF16 * (
        layers * attention
        + dense * 3 * hidden * config["intermediate_size"]
        + sparse * shared
        + config["vocab_size"] * hidden
    )
    return Bytes(
        always + _FP32 * sparse * hidden * experts,
        _BF16 * sparse * 3 * hidden * width,
        _BF16 * layers * 2 * keys,
    )
