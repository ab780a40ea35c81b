"""What vLLM itself builds for one rank: its own classes of a model, on the meta device, as one rank of many.

Run as a program in a venv with vLLM: cases as JSON on stdin, one line of JSON for each on stdout. A case has
config (of a model), tensor_parallel_size, pipeline_parallel_size, stage and text_only; an answer has the elements
of all parameters, the bytes of parameters and buffers, and the bytes once `--quantization fp8_per_tensor` has gone
over them; or an error.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# What vLLM's import builds stays: to look through it for garbage, again and again, finds none.
gc.disable()
os.environ |= {"VLLM_LOGGING_LEVEL": "ERROR", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}

#: As the published checkpoints of ERNIE-4.5-VL bring them.
_REMOTE_CODE = """from transformers import PreTrainedConfig


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


def engine_config(case: dict[str, Any], folder: str) -> Any:
    from vllm.engine.arg_utils import EngineArgs

    Path(folder, "config.json").write_text(json.dumps(case["config"]))
    Path(folder, "configuration_ernie_vl.py").write_text(_REMOTE_CODE)
    config = EngineArgs(
        model=folder, trust_remote_code=True, skip_tokenizer_init=True, load_format="dummy", enforce_eager=True,
        max_model_len=256, language_model_only=case["text_only"],
    ).create_engine_config()  # fmt: skip
    # Not as arguments: this machine does not have so many devices.
    config.parallel_config.tensor_parallel_size = case["tensor_parallel_size"]
    config.parallel_config.pipeline_parallel_size = case["pipeline_parallel_size"]
    return config


def group(size: int, rank: int) -> Any:
    """What models ask of a group of ranks while they are built."""
    return SimpleNamespace(
        world_size=size, rank_in_group=rank, is_first_rank=rank == 0, is_last_rank=rank == size - 1,
        device_group=SimpleNamespace(size=lambda: size, rank=lambda: rank),
    )  # fmt: skip


def become_rank(case: dict[str, Any]) -> None:
    from vllm.distributed import parallel_state

    for name in ("_TP", "_PP", "_DP", "_EP", "_PCP", "_DCP"):
        setattr(parallel_state, name, group(1, 0))
    parallel_state._TP = parallel_state._EP = group(case["tensor_parallel_size"], 0)
    parallel_state._PP = group(case["pipeline_parallel_size"], case["stage"])


def built(config: Any) -> Any:
    import torch
    from vllm.config import set_current_vllm_config
    from vllm.model_executor.model_loader.utils import initialize_model

    torch.set_default_dtype(config.model_config.dtype)
    with set_current_vllm_config(config), torch.device("meta"):
        return initialize_model(vllm_config=config)


def size(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())


def spying() -> Any:
    """`--quantization fp8_per_tensor`, of which only the decision is taken: its kernels do not run here."""
    from vllm.model_executor.layers.fused_moe.unquantized_fused_moe_method import UnquantizedFusedMoEMethod
    from vllm.model_executor.layers.linear import LinearBase, UnquantizedLinearMethod
    from vllm.model_executor.layers.quantization.online.base import _ONLINE_SHORTHANDS, OnlineQuantizationConfig

    class Spying(OnlineQuantizationConfig):  # type: ignore[misc]
        def __init__(self, arguments: Any) -> None:
            super().__init__(arguments)
            self.chosen: list[Any] = []

        def get_quant_method(self, layer: Any, prefix: str) -> Any:
            if self.resolve_quant_method_cls(type(layer), prefix):
                self.chosen.append(layer)
            if isinstance(layer, LinearBase):
                return UnquantizedLinearMethod()
            return UnquantizedFusedMoEMethod(layer.moe_config) if hasattr(layer, "moe_config") else None

    return Spying(_ONLINE_SHORTHANDS["fp8_per_tensor"])


def saved(model: Any, chosen: list[Any]) -> int:
    """Bytes that the weights of these layers lose when an element takes one; not of layers that were left out."""
    held = {id(one) for one in model.parameters()}
    weights = [one for layer in chosen for name, one in layer.named_parameters() if name.endswith("weight")]
    return sum(size(one) - one.numel() for one in weights if id(one) in held)


def answer(case: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        config = engine_config(case, folder)
        config.quant_config = fp8 = spying()
        become_rank(case)
        model = built(config)
    parameters = list(model.parameters())
    total = sum(map(size, parameters))
    return {
        "elements": sum(one.numel() for one in parameters),
        "parameters": total,
        "buffers": sum(map(size, model.buffers())),
        "fp8": total - saved(model, fp8.chosen),
    }


def main() -> None:
    for case in json.load(sys.stdin):
        try:
            line = answer(case)
        except Exception as error:
            line = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
