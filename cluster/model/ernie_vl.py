"""ERNIE-4.5-VL: text and vision experts side by side in each layer, and a vision tower before the layers.

It reads the flat form of the published checkpoints' remote code: a list holds one value for text and one for
vision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cluster.model.architecture import Architecture, Experts, Moe, Vision
from cluster.model.config import Config, Count, Size, UnknownModel

NAMES = ("Ernie4_5_VLMoeForConditionalGeneration",)

#: vLLM keeps cosines and sines for this multiple of the context: the position of a video's frame may be that high.
_POSITIONS = 4

Pair = Annotated[list[Count], Field(min_length=2, max_length=2)]
Layers = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]


class _Vision(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    depth: Count
    embed_dim: Size
    num_heads: Count
    mlp_ratio: Annotated[float, Field(gt=0, le=64)]
    patch_size: Count
    in_channels: Annotated[int, Field(ge=3, le=3)] = 3


class _Ernie(Config):
    max_position_embeddings: Size = 131_072
    tie_word_embeddings: bool
    use_bias: bool = False
    moe_num_experts: Pair
    moe_intermediate_size: Annotated[list[Size], Field(min_length=2, max_length=2)]
    moe_k: Count
    moe_num_shared_experts: Annotated[int, Field(ge=0, le=64)] = 0
    moe_layer_start_index: Layers
    moe_layer_end_index: Layers | None = None
    moe_layer_interval: Count = 1
    use_moe: bool = True
    pixel_hidden_size: Size
    spatial_conv_size: Count
    temporal_conv_size: Count
    use_temporal_conv: bool = True
    vision_config: _Vision


def read(name: str, raw: Mapping[str, Any]) -> Architecture:
    """Reads the model. Raises pydantic's ValidationError for a wrong value."""
    config = _Ernie.model_validate(raw)
    if config.moe_num_experts[0] != config.moe_num_experts[1]:
        raise UnknownModel("vLLM needs the same number of experts for vision as for text")
    return Architecture(
        name=name,
        **config.common,
        tied=config.tie_word_embeddings,
        embedded="first",
        headed="last",
        rotary=_POSITIONS * config.max_position_embeddings,
        rotary_each=True,
        biases=frozenset(("qkv", "ffn")) if config.use_bias else frozenset(),
        moe=_moe(config) if config.use_moe else None,
        vision=_vision(config),
        remote_code=True,
        # Its own tie_weights needs a layer that another stage holds (vLLM 0.32: AttributeError on the first rank).
        splits_when_tied=False,
    )


def _moe(config: _Ernie) -> Moe:
    first, last = config.moe_layer_start_index, config.moe_layer_end_index or [config.num_hidden_layers - 1] * 2
    kinds = ("text experts", "vision experts")
    return Moe(
        kinds=tuple(
            Experts(kind, config.moe_num_experts[i], config.moe_intermediate_size[i], first[i], last[i])
            for i, kind in enumerate(kinds)
        ),
        top_k=config.moe_k,
        shared=config.moe_intermediate_size[0] * config.moe_num_shared_experts,
        interval=config.moe_layer_interval,
        gate_bytes=4,
        gate_quantized=True,
        biased=True,
    )


def _vision(config: _Ernie) -> Vision:
    tower = config.vision_config
    return Vision(
        depth=tower.depth,
        width=tower.embed_dim,
        heads=tower.num_heads,
        ffn=int(tower.embed_dim * tower.mlp_ratio),
        patch=tower.patch_size,
        pixels=config.pixel_hidden_size,
        spatial=config.spatial_conv_size,
        temporal=config.temporal_conv_size if config.use_temporal_conv else 0,
    )
