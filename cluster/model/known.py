"""The config.json of models with a size that must be known before any host or download exists.

ERNIE-4.5-VL follows its model cards, the tensors of the text model of the same family, and vLLM's code. The
parameters of the 424B add up to 423.5 billion, as its name says. A readable config.json counts before these.
"""

from __future__ import annotations

from typing import Any

_COMMON: dict[str, Any] = {
    "architectures": ["Ernie4_5_VLMoeForConditionalGeneration"],
    "dtype": "bfloat16",
    "head_dim": 128,
    "vocab_size": 103_424,
    "max_position_embeddings": 131_072,
    "moe_num_experts": [64, 64],
    "pixel_hidden_size": 1280,
    "spatial_conv_size": 2,
    "temporal_conv_size": 2,
    "vision_config": {"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4, "patch_size": 14},
}

_424B = _COMMON | {
    "hidden_size": 8192,
    "intermediate_size": 28_672,
    "num_hidden_layers": 54,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
    "moe_intermediate_size": [3584, 1536],
    "moe_k": 8,
    "moe_layer_start_index": [3, 3],
    "moe_layer_end_index": [53, 53],
}

_28B = _COMMON | {
    "hidden_size": 2560,
    "intermediate_size": 12_288,
    "num_hidden_layers": 28,
    "num_attention_heads": 20,
    "num_key_value_heads": 4,
    "tie_word_embeddings": True,
    "moe_intermediate_size": [1536, 512],
    "moe_k": 6,
    "moe_num_shared_experts": 2,
    "moe_layer_start_index": [1, 1],
    "moe_layer_end_index": [27, 27],
}

_KNOWN = {
    "ERNIE-4.5-VL-424B-A47B-PT": _424B,
    "ERNIE-4.5-VL-424B-A47B-Base-PT": _424B,
    "ERNIE-4.5-VL-28B-A3B-PT": _28B,
    "ERNIE-4.5-VL-28B-A3B-Base-PT": _28B,
    "ERNIE-4.5-VL-28B-A3B-Thinking": _28B,
}


def known_config(model_id: str) -> dict[str, Any] | None:
    """Returns the config for a repository id or the name of a folder; None for an unknown model."""
    return _KNOWN.get(model_id.rpartition("/")[2])
