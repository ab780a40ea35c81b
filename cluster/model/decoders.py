"""Plain decoders, dense or with experts: Llama and similar models, Mixtral, Qwen, and ERNIE-4.5 for text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from cluster.model.architecture import Architecture, Experts, Moe, Place
from cluster.model.config import Config, Count, Size, UnknownModel

#: Other kinds of scaling change the context, or the size of the rotary cache.
_PLAIN_ROPE = (None, "default", "llama3")


class _Decoder(Config):
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    sliding_window: int | None = None
    use_sliding_window: bool = True


class _Mixtral(_Decoder):
    num_local_experts: Count
    num_experts_per_tok: Count


class _QwenMoe(_Decoder):
    num_experts: Count
    num_experts_per_tok: Count
    moe_intermediate_size: Size
    decoder_sparse_step: Count = 1
    mlp_only_layers: list[int] = Field(default=[])
    use_sliding_window: bool = False


class _ErnieMoe(_Decoder):
    tie_word_embeddings: bool
    use_bias: bool = False
    moe_num_experts: Count
    moe_intermediate_size: Size
    moe_k: Count
    moe_num_shared_experts: Annotated[int, Field(ge=0, le=64)] = 0
    moe_layer_start_index: Annotated[int, Field(ge=0)] = 0
    moe_layer_end_index: Annotated[int, Field(ge=0)] | None = None
    moe_layer_interval: Count = 1


class _Qwen(_Decoder):
    use_sliding_window: bool = False


def _llama(name: str, raw: Mapping[str, Any]) -> Architecture:
    config = _Decoder.model_validate(raw)
    biases = [*(["qkv", "o"] if config.attention_bias else []), *(["ffn"] if config.mlp_bias else [])]
    return _dense(name, config, biases=frozenset(biases))


def _qwen2(name: str, raw: Mapping[str, Any]) -> Architecture:
    return _dense(name, _Qwen.model_validate(raw), biases=frozenset(("qkv",)))


def _qwen3(name: str, raw: Mapping[str, Any]) -> Architecture:
    config = _Qwen.model_validate(raw)
    return _dense(
        name, config, biases=frozenset(("qkv",)) if config.attention_bias else frozenset(), qk_norms=True
    )


def _mixtral(name: str, raw: Mapping[str, Any]) -> Architecture:
    config = _Mixtral.model_validate(raw)
    experts = Experts(
        "experts", config.num_local_experts, config.intermediate_size, 0, config.num_hidden_layers - 1
    )
    return _with_experts(name, config, Moe((experts,), config.num_experts_per_tok))


def _qwen3_moe(name: str, raw: Mapping[str, Any]) -> Architecture:
    config = _QwenMoe.model_validate(raw)
    experts = Experts("experts", config.num_experts, config.moe_intermediate_size, 0, config.num_hidden_layers - 1)
    moe = Moe(
        (experts,),
        config.num_experts_per_tok,
        interval=config.decoder_sparse_step,
        dense=tuple(config.mlp_only_layers),
        gate_quantized=True,
    )
    return _with_experts(name, config, moe, qk_norms=True)


def _ernie_moe(name: str, raw: Mapping[str, Any]) -> Architecture:
    config = _ErnieMoe.model_validate(raw)
    last = config.num_hidden_layers - 1 if config.moe_layer_end_index is None else config.moe_layer_end_index
    experts = Experts(
        "experts", config.moe_num_experts, config.moe_intermediate_size, config.moe_layer_start_index, last
    )
    shared = config.moe_intermediate_size * config.moe_num_shared_experts
    moe = Moe((experts,), config.moe_k, shared, config.moe_layer_interval, gate_bytes=4, biased=True)
    biases = frozenset(("qkv", "ffn")) if config.use_bias else frozenset[str]()
    return _decoder(name, config, "first", "last", moe=moe, biases=biases, splits_when_tied=False)


def _dense(name: str, config: _Decoder, **more: Any) -> Architecture:
    return _decoder(name, config, "first and last" if config.tie_word_embeddings else "first", "last", **more)


def _with_experts(name: str, config: _Decoder, moe: Moe, **more: Any) -> Architecture:
    """Returns a decoder with experts. It has embeddings and logits on every pipeline stage, used or not."""
    return _decoder(name, config, "every", "every", moe=moe, **more)


def _decoder(name: str, config: _Decoder, embedded: Place, headed: Place, **more: Any) -> Architecture:
    _refuse_what_changes_the_cache(config)
    return Architecture(
        name=name,
        **config.common,
        tied=config.tie_word_embeddings,
        embedded=embedded,
        headed=headed,
        rotary=config.max_position_embeddings,
        **more,
    )


def _refuse_what_changes_the_cache(config: _Decoder) -> None:
    if config.use_sliding_window and config.sliding_window is not None:
        raise UnknownModel("its attention slides, and the size of its KV cache is then unknown")
    rope = config.rope_scaling or config.rope_parameters or {}
    kind = rope.get("rope_type", rope.get("type"))
    if kind not in _PLAIN_ROPE:
        raise UnknownModel(f"its context is scaled ({kind}), and the length of its context is then unknown")


_READERS: dict[str, Callable[[str, Mapping[str, Any]], Architecture]] = {
    "Ernie4_5ForCausalLM": _llama,
    "Ernie4_5_MoeForCausalLM": _ernie_moe,
    "LlamaForCausalLM": _llama,
    "MistralForCausalLM": _llama,
    "MixtralForCausalLM": _mixtral,
    "Qwen2ForCausalLM": _qwen2,
    "Qwen3ForCausalLM": _qwen3,
    "Qwen3MoeForCausalLM": _qwen3_moe,
}

NAMES = tuple(_READERS)


def read(name: str, raw: Mapping[str, Any]) -> Architecture:
    """Reads a decoder. Raises pydantic's ValidationError for a wrong value, UnknownModel for an unknown size."""
    return _READERS[name](name, raw)
