"""Plain decoders, dense or with experts: Llama and its like, Mixtral, Qwen, and ERNIE-4.5 for text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from cluster.model.architecture import Architecture, Experts, Moe, Place
from cluster.model.config import Config, Count, Size, UnknownModel

#: Other kinds of scaling change the context, or the size of what is kept for it.
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


def _llama(name: str, config: Mapping[str, Any]) -> Architecture:
    said = _Decoder.model_validate(config)
    biases = [*(["qkv", "o"] if said.attention_bias else []), *(["ffn"] if said.mlp_bias else [])]
    return _dense(name, said, biases=frozenset(biases))


def _qwen2(name: str, config: Mapping[str, Any]) -> Architecture:
    return _dense(name, _Qwen.model_validate(config), biases=frozenset(("qkv",)))


def _qwen3(name: str, config: Mapping[str, Any]) -> Architecture:
    said = _Qwen.model_validate(config)
    return _dense(name, said, biases=frozenset(("qkv",)) if said.attention_bias else frozenset(), qk_norms=True)


def _mixtral(name: str, config: Mapping[str, Any]) -> Architecture:
    said = _Mixtral.model_validate(config)
    experts = Experts("experts", said.num_local_experts, said.intermediate_size, 0, said.num_hidden_layers - 1)
    return _with_experts(name, said, Moe((experts,), said.num_experts_per_tok))


def _qwen3_moe(name: str, config: Mapping[str, Any]) -> Architecture:
    said = _QwenMoe.model_validate(config)
    experts = Experts("experts", said.num_experts, said.moe_intermediate_size, 0, said.num_hidden_layers - 1)
    moe = Moe(
        (experts,),
        said.num_experts_per_tok,
        interval=said.decoder_sparse_step,
        dense=tuple(said.mlp_only_layers),
        gate_quantized=True,
    )
    return _with_experts(name, said, moe, qk_norms=True)


def _ernie_moe(name: str, config: Mapping[str, Any]) -> Architecture:
    said = _ErnieMoe.model_validate(config)
    last = said.num_hidden_layers - 1 if said.moe_layer_end_index is None else said.moe_layer_end_index
    experts = Experts(
        "experts", said.moe_num_experts, said.moe_intermediate_size, said.moe_layer_start_index, last
    )
    shared = said.moe_intermediate_size * said.moe_num_shared_experts
    moe = Moe((experts,), said.moe_k, shared, said.moe_layer_interval, gate_bytes=4, biased=True)
    biases = frozenset(("qkv", "ffn")) if said.use_bias else frozenset[str]()
    return _decoder(name, said, "first", "last", moe=moe, biases=biases, splits_when_tied=False)


def _dense(name: str, said: _Decoder, **more: Any) -> Architecture:
    return _decoder(name, said, "first and last" if said.tie_word_embeddings else "first", "last", **more)


def _with_experts(name: str, said: _Decoder, moe: Moe, **more: Any) -> Architecture:
    """These build embeddings and logits on every pipeline stage, whether or not it uses them."""
    return _decoder(name, said, "every", "every", moe=moe, **more)


def _decoder(name: str, said: _Decoder, embedded: Place, headed: Place, **more: Any) -> Architecture:
    _refuse_what_changes_the_cache(said)
    return Architecture(
        name=name,
        **said.common,
        tied=said.tie_word_embeddings,
        embedded=embedded,
        headed=headed,
        rotary=said.max_position_embeddings,
        **more,
    )


def _refuse_what_changes_the_cache(said: _Decoder) -> None:
    if said.use_sliding_window and said.sliding_window is not None:
        raise UnknownModel("its attention slides, and what that needs of the KV cache is not known here")
    rope = said.rope_scaling or said.rope_parameters or {}
    kind = rope.get("rope_type", rope.get("type"))
    if kind not in _PLAIN_ROPE:
        raise UnknownModel(f"its context is scaled ({kind}), and how long that makes it is not known here")


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


def read(name: str, config: Mapping[str, Any]) -> Architecture:
    """Raises pydantic's ValidationError for what it cannot read, UnknownModel for what it must not guess."""
    return _READERS[name](name, config)
