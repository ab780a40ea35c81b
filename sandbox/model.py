"""A tiny model of the real ERNIE-4.5-VL architecture: real files, random weights.

The configuration is in the remote-code form of the published checkpoints. Sixteen heads and experts, so that
tensor parallel sizes up to 16 divide everything; heads of 32, the smallest that vLLM's CPU attention takes.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import tokenizer
from .layout import MODEL
from .root import place

_HIDDEN = 128
_LAYERS = 3
_HEADS, _KV_HEADS, _HEAD = 16, 4, 32
_DENSE = 512
_EXPERTS, _TEXT_EXPERT, _VISION_EXPERT = 16, 512, 256

_CONFIG = {
    "architectures": ["Ernie4_5_VLMoeForConditionalGeneration"],
    "model_type": "ernie4_5_moe_vl",
    "auto_map": {"AutoConfig": "configuration_ernie_vl.ErnieVLConfig"},
    "dtype": "bfloat16",
    "hidden_size": _HIDDEN,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": _HEADS,
    "num_key_value_heads": _KV_HEADS,
    "head_dim": _HEAD,
    "intermediate_size": _DENSE,
    "vocab_size": tokenizer.SIZE,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "use_bias": False,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "freq_allocation": 8,
    "max_position_embeddings": 4096,
    "moe_num_experts": [_EXPERTS, _EXPERTS],
    "moe_intermediate_size": [_TEXT_EXPERT, _VISION_EXPERT],
    "moe_k": 2,
    "moe_num_shared_experts": 0,
    "moe_layer_start_index": [1, 1],
    "moe_layer_end_index": [_LAYERS - 1, _LAYERS - 1],
    "moe_layer_interval": 1,
    "moe_use_aux_free": True,
    "pixel_hidden_size": 64,
    "spatial_conv_size": 2,
    "temporal_conv_size": 2,
    "use_temporal_conv": True,
    "vision_config": {
        "model_type": "DFNRope_vision_transformer",
        "depth": 1,
        "embed_dim": 64,
        "hidden_size": 64,
        "hidden_act": "quick_gelu",
        "mlp_ratio": 4,
        "num_heads": 16,
        "in_channels": 3,
        "patch_size": 14,
        "spatial_merge_size": 2,
    },
    **tokenizer.IDS,
}

CONFIGURATION = """from transformers import PreTrainedConfig


class VisionConfig(PreTrainedConfig):
    model_type = "DFNRope_vision_transformer"


class ErnieVLConfig(PreTrainedConfig):
    model_type = "ernie4_5_moe_vl"
    sub_configs = {"vision_config": VisionConfig}

    def __init__(self, vision_config=None, **fields):
        if not isinstance(vision_config, PreTrainedConfig):
            vision_config = VisionConfig(**(vision_config or {}))
        self.vision_config = vision_config
        super().__init__(**fields)
"""


@dataclass(frozen=True)
class _Tensor:
    """In bfloat16."""

    name: str
    shape: tuple[int, ...]

    def content(self, source: random.Random) -> bytes:
        size = self.shape[0] * self.shape[1] if len(self.shape) == 2 else self.shape[0]
        if self.name.endswith("bias"):
            return bytes(2 * size)
        if self.name.endswith("norm.weight"):
            return b"\x80\x3f" * size
        return _small_values(size, source)


def _small_values(size: int, source: random.Random) -> bytes:
    """Between 0.008 and 0.03 with either sign: the low byte is anything, the high byte one of two."""
    content = bytearray(2 * size)
    content[0::2] = source.randbytes(size)
    content[1::2] = source.randbytes(size).translate(bytes([0x3C] * 128 + [0xBC] * 128))
    return bytes(content)


def write(layer: Path) -> None:
    folder = place(layer, MODEL)
    folder.mkdir()
    tokenizer.write(folder)
    (folder / "config.json").write_text(json.dumps(_CONFIG, indent=1))
    (folder / "configuration_ernie_vl.py").write_text(CONFIGURATION)
    embedding = _Tensor("model.embed_tokens.weight", (tokenizer.SIZE, _HIDDEN))
    head = [_Tensor("model.norm.weight", (_HIDDEN,)), _Tensor("lm_head.weight", (tokenizer.SIZE, _HIDDEN))]
    _write_weights(folder, [[embedding], *(list(_layer(i)) for i in range(_LAYERS)), head])


def _write_weights(folder: Path, shards: list[list[_Tensor]]) -> None:
    source = random.Random(0)
    index, total = {}, 0
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        total += _write_shard(folder / name, tensors, source)
        index.update({tensor.name: name for tensor in tensors})
    content = {"metadata": {"total_size": total}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content, indent=1))


def _write_shard(path: Path, tensors: list[_Tensor], source: random.Random) -> int:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end, contents = 0, []
    for tensor in tensors:
        contents.append(tensor.content(source))
        start, end = end, end + len(contents[-1])
        header[tensor.name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(contents))
    return end


def _layer(i: int) -> Iterator[_Tensor]:
    layer = f"model.layers.{i}"
    for norm in ("input_layernorm", "post_attention_layernorm"):
        yield _Tensor(f"{layer}.{norm}.weight", (_HIDDEN,))
    for kind, heads in (("q", _HEADS), ("k", _KV_HEADS), ("v", _KV_HEADS)):
        yield _Tensor(f"{layer}.self_attn.{kind}_proj.weight", (heads * _HEAD, _HIDDEN))
    yield _Tensor(f"{layer}.self_attn.o_proj.weight", (_HIDDEN, _HEADS * _HEAD))
    yield from _mlp(f"{layer}.mlp", _DENSE) if i == 0 else _experts(f"{layer}.mlp")


def _experts(mlp: str) -> Iterator[_Tensor]:
    """Text experts first, then vision experts, in one count; the gates stored transposed, as published."""
    yield _Tensor(f"{mlp}.gate.weight", (_HIDDEN, _EXPERTS))
    yield _Tensor(f"{mlp}.gate.weight_1", (_HIDDEN, _EXPERTS))
    yield _Tensor(f"{mlp}.moe_statics.e_score_correction_bias", (2, _EXPERTS))
    for expert in range(2 * _EXPERTS):
        yield from _mlp(f"{mlp}.experts.{expert}", _TEXT_EXPERT if expert < _EXPERTS else _VISION_EXPERT)


def _mlp(prefix: str, size: int) -> Iterator[_Tensor]:
    yield _Tensor(f"{prefix}.gate_proj.weight", (size, _HIDDEN))
    yield _Tensor(f"{prefix}.up_proj.weight", (size, _HIDDEN))
    yield _Tensor(f"{prefix}.down_proj.weight", (_HIDDEN, size))
