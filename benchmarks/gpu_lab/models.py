"""Folders of the real ERNIE-4.5-VL architectures without their weights, for `--load-format dummy`.

Sizes: transformers' defaults for the 28B, and a tensor dump of the 424B's text model; together 423.5 B parameters.
Text is made of single bytes. An answer can have as many different tokens as were published, each a word (without
pictures). The ids of image tokens are the tokenizer's own.
"""

import json
import shutil
from pathlib import Path

from sandbox import tokenizer
from sandbox.model import CONFIGURATION

_REMOTE_CODE = Path(__file__).parent / "remote_code"

_CONTEXT, _VOCABULARY = 131072, 103424
_COMMON = {
    "architectures": ["Ernie4_5_VLMoeForConditionalGeneration"],
    "model_type": "ernie4_5_moe_vl",
    "auto_map": {"AutoConfig": "configuration_ernie_vl.ErnieVLConfig"},
    "dtype": "bfloat16", "head_dim": 128, "vocab_size": _VOCABULARY, "max_position_embeddings": _CONTEXT,
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "freq_allocation": 20, "hidden_act": "silu", "use_bias": False,
    "moe_layer_interval": 1, "moe_use_aux_free": True, "moe_num_experts": [64, 64],
    "pixel_hidden_size": 1280, "spatial_conv_size": 2, "temporal_conv_size": 2, "use_temporal_conv": True,
    "vision_config": {
        "model_type": "DFNRope_vision_transformer", "depth": 32, "embed_dim": 1280, "hidden_size": 1280,
        "hidden_act": "quick_gelu", "mlp_ratio": 4, "num_heads": 16, "in_channels": 3, "patch_size": 14,
        "spatial_merge_size": 2,
    },
    **tokenizer.IDS,
}  # fmt: skip
_28B = {
    "hidden_size": 2560, "intermediate_size": 12288, "num_hidden_layers": 28, "num_attention_heads": 20,
    "num_key_value_heads": 4, "tie_word_embeddings": True, "moe_intermediate_size": [1536, 512], "moe_k": 6,
    "moe_num_shared_experts": 2, "moe_layer_start_index": [1, 1], "moe_layer_end_index": [27, 27],
}  # fmt: skip
_424B = {
    "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 54, "num_attention_heads": 64,
    "num_key_value_heads": 8, "tie_word_embeddings": False, "moe_intermediate_size": [3584, 1536], "moe_k": 8,
    "moe_num_shared_experts": 0, "moe_layer_start_index": [3, 3], "moe_layer_end_index": [53, 53],
}  # fmt: skip


def _of_the_424b(layers: int) -> dict[str, object]:
    return {**_424B, "num_hidden_layers": layers, "moe_layer_end_index": [layers - 1, layers - 1]}


#: By the folder's name. `vl424b-8L` has eight of the 424B's layers, about 90 GB; `vl424b-27L` half of them:
#: four GPUs hold nine tenths as much of it each as eight of the whole, since both have three dense layers.
MODELS: dict[str, dict[str, object]] = {
    "vl28b": _28B,
    "vl424b": _424B,
    "vl424b-8L": _of_the_424b(8),
    "vl424b-27L": _of_the_424b(27),
}
#: The 28B, able to be shown pictures.
WITH_IMAGES = "vl28b-images"


def write(root: Path) -> None:
    for name, sizes in MODELS.items():
        write_model(root / name, sizes)
    write_model(root / WITH_IMAGES, MODELS["vl28b"])
    add_processor(root / WITH_IMAGES)


def config(sizes: dict[str, object]) -> dict[str, object]:
    return _COMMON | sizes


def write_model(folder: Path, sizes: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.write(folder, _CONTEXT, size=_VOCABULARY)
    (folder / "config.json").write_text(json.dumps(config(sizes), indent=1))
    (folder / "configuration_ernie_vl.py").write_text(CONFIGURATION)
    (folder / "model.safetensors").write_bytes(_without_tensors())


def _without_tensors() -> bytes:
    """Returns a whole safetensors file without tensors. Dummy weights are not read. But a model without a file of
    weights looks like one that was never downloaded."""
    header = json.dumps(
        {"__metadata__": {"format": "pt", "holds": "no weights: for --load-format dummy"}}
    ).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header


def add_processor(folder: Path) -> None:
    tokenizer.write(folder, _CONTEXT, images=True)
    for path in _REMOTE_CODE.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)
