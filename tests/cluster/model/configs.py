"""config.json of models of every kind that is known, by a name; and the cases in which vLLM has built them."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from cluster.model import Architecture, Layout, architecture, known_config

E424B = "ERNIE-4.5-VL-424B-A47B-PT"
E28B = "ERNIE-4.5-VL-28B-A3B-PT"

_SMALL: dict[str, Any] = {
    "hidden_size": 512,
    "num_hidden_layers": 5,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "intermediate_size": 1024,
    "vocab_size": 1000,
    "max_position_embeddings": 4096,
    "dtype": "bfloat16",
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}


def _small(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return _SMALL | {"architectures": [name], "model_type": kind} | more


def _known(name: str, **more: Any) -> dict[str, Any]:
    """Returns a known config with the keys that vLLM asks for besides, which do not bear on the size."""
    config = copy.deepcopy(known_config(name))
    assert config is not None
    config["vision_config"] |= {"hidden_size": 1280, "in_channels": 3, "spatial_merge_size": 2}
    config["vision_config"] |= {"hidden_act": "quick_gelu", "model_type": "DFNRope_vision_transformer"}
    return {
        **config,
        "model_type": "ernie4_5_moe_vl",
        "auto_map": {"AutoConfig": "configuration_ernie_vl.ErnieVLConfig"},
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
        "freq_allocation": 20,
        "hidden_act": "silu",
        "moe_layer_interval": 1,
        "im_patch_id": 100_295,
        "use_bias": False,
        "use_temporal_conv": True,
        **({} if "moe_num_shared_experts" in config else {"moe_num_shared_experts": 0}),
        **more,
    }


_ERNIE_MOE = {
    "moe_num_experts": 8,
    "moe_intermediate_size": 256,
    "moe_k": 2,
    "moe_num_shared_experts": 2,
    "moe_layer_start_index": 1,
    "moe_layer_end_index": 4,
    "moe_layer_interval": 1,
    "use_bias": False,
}
_QWEN_MOE = {"num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 256, "mlp_only_layers": [1]}
_ODD = {
    "num_hidden_layers": 27,
    "moe_layer_start_index": [2, 3],
    "moe_layer_end_index": [25, 20],
    "use_bias": True,
    "use_temporal_conv": False,
    "tie_word_embeddings": False,
}

CONFIGS: dict[str, dict[str, Any]] = {
    "424b": _known(E424B),
    "424b-8L": _known(E424B, num_hidden_layers=8, moe_layer_end_index=[7, 7]),
    "28b": _known(E28B),
    "28b-odd": _known(E28B, **_ODD),
    "llama": _small("LlamaForCausalLM", "llama"),
    "llama-tied": _small(
        "LlamaForCausalLM", "llama", tie_word_embeddings=True, attention_bias=True, mlp_bias=True
    ),
    "mistral": _small("MistralForCausalLM", "mistral", sliding_window=None),
    "mixtral": _small(
        "MixtralForCausalLM", "mixtral", num_local_experts=8, num_experts_per_tok=2, sliding_window=None
    ),
    "qwen2": _small("Qwen2ForCausalLM", "qwen2"),
    "qwen2-tied": _small("Qwen2ForCausalLM", "qwen2", tie_word_embeddings=True),
    "qwen3": _small("Qwen3ForCausalLM", "qwen3"),
    "qwen3-moe": _small("Qwen3MoeForCausalLM", "qwen3_moe", **_QWEN_MOE),
    "ernie": _small("Ernie4_5ForCausalLM", "ernie4_5", use_bias=False),
    "ernie-moe": _small("Ernie4_5_MoeForCausalLM", "ernie4_5_moe", **_ERNIE_MOE),
}


class Case(NamedTuple):
    """One rank of a pipeline stage."""

    config: str
    tensor_parallel_size: int
    pipeline_parallel_size: int = 1
    stage: int = 0
    text_only: bool = False

    @property
    def shape(self) -> Architecture:
        return architecture(CONFIGS[self.config])

    def layout(self, fp8: bool = False) -> Layout:
        return Layout(self.tensor_parallel_size, self.pipeline_parallel_size, fp8=fp8, text_only=self.text_only)


_ERNIE_CASES = (
    *(Case("424b", 16), Case("424b", 8), Case("424b", 8, 2, 0), Case("424b", 8, 2, 1)),
    *(Case("424b", 16, text_only=True), Case("424b-8L", 1), Case("424b-8L", 2)),
    *(Case("28b", 1), Case("28b", 2), Case("28b", 4)),
    *(Case("28b-odd", 2), Case("28b-odd", 2, 2, 0), Case("28b-odd", 2, 2, 1)),
)
_OTHER_CASES = tuple(
    case
    for name in CONFIGS
    if not name.startswith(("424b", "28b"))
    for case in (Case(name, 8), Case(name, 2, 2, 0), Case(name, 2, 2, 1), Case(name, 2, 3, 1))
)

BUILT = _ERNIE_CASES + _OTHER_CASES

#: What vLLM does not build: over pipeline stages with one matrix for embeddings and logits, or with the heads of
#: the vision tower not cut evenly, even where only language is served.
REFUSED = (
    *(Case("28b", 2, 2, 0), Case("28b", 2, 2, 1), Case("424b", 32), Case("424b", 32, text_only=True)),
    *(Case("28b", 8), Case("qwen3", 3)),
)
