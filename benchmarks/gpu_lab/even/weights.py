"""A plugin of vLLM: `--load-format dummy` makes weights as a model has them before its training.

vLLM's own dummy weights are so small that the router's correction bias alone decides: all tokens go to the same
few experts. Every process of vLLM imports this file: torch and vLLM are imported where they are used.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

#: In the environment of `vllm serve`: where the routes go while the file `record` is there.
ROUTES = "EVEN_ROUTES"
#: In the environment of `vllm serve`: vLLM's own dummy weights stay, and routes alone are recorded.
KEEP = "EVEN_KEEP_DUMMY"
_NAME, _VERSION = "even-routing", "1.0"
#: A token's own embedding must outweigh what attention adds from all before it, which differs little from token to
#: token: or all tokens of a sequence went to the same experts. 1 keeps the size of what a matrix multiplies.
_GAINS = {"embed_tokens.weight": 3.0, "o_proj.weight": 0.3}


def write_plugin(folder: Path) -> None:
    """Writes what makes vLLM find the plugin, where `folder` is on PYTHONPATH."""
    place = folder / f"{_NAME.replace('-', '_')}-{_VERSION}.dist-info"
    place.mkdir(parents=True, exist_ok=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {_VERSION}\n")
    (place / "entry_points.txt").write_text(f"[vllm.general_plugins]\neven_routing = {__name__}:install\n")


def install() -> None:
    """What vLLM calls in each of its processes, at times more than once."""
    from vllm.model_executor.model_loader.dummy_loader import DummyModelLoader

    made = DummyModelLoader.load_weights
    if getattr(made, "spreads", False):
        return

    def load_weights(self: Any, model: Any, model_config: Any) -> None:
        made(self, model, model_config)
        if not os.environ.get(KEEP):
            spread(model)
        watch(model, model_config.hf_config.moe_k)

    load_weights.spreads = True  # type: ignore[attr-defined]
    DummyModelLoader.load_weights = load_weights


def spread(model: Any) -> None:
    """Each matrix draws from a normal distribution that keeps the size of what it multiplies; norms are 1, and
    biases 0. The router's scores of a token then depend on the token, and each expert is as likely."""
    import torch

    with torch.no_grad():
        for seed, (name, tensor) in enumerate(model.named_parameters()):
            if tensor.dim() >= 2 and not name.endswith("bias"):
                source = torch.Generator(device=tensor.device).manual_seed(seed)
                tensor.normal_(0.0, _gain(name) * tensor.shape[-1] ** -0.5, generator=source)
            elif tensor.is_floating_point():
                tensor.fill_(0.0 if name.endswith("bias") else 1.0)


def _gain(name: str) -> float:
    return next((gain for end, gain in _GAINS.items() if name.endswith(end)), 1.0)


def watch(model: Any, experts_a_token: int) -> None:
    """From now on each layer's routes can be recorded."""
    layers = [one for one in model.modules() if hasattr(one, "text_experts_gate")]
    for number, layer in enumerate(layers):
        layer.text_experts_gate.register_forward_hook(_Recorder(layer, number, experts_a_token))


class _Recorder:
    """Records the experts of each token from a router's scores, a byte each. It records nothing while a graph is
    captured, or without the file `record`."""

    def __init__(self, layer: Any, number: int, experts_a_token: int) -> None:
        self._layer, self._experts = layer, experts_a_token
        self._folder = os.environ.get(ROUTES, "/nonexistent")
        self._path, self._asked = f"{self._folder}/layer-{number:02}", f"{self._folder}/record"

    def __call__(self, _module: Any, _inputs: Any, output: Any) -> None:
        if os.path.exists(self._asked):
            self._write(output[0])

    def _write(self, scores: Any) -> None:
        import torch

        likely = scores.float().softmax(-1) + self._layer.e_score_correction_bias[0].float()
        chosen = likely.topk(self._experts, sorted=False).indices
        with open(self._path, "ab") as file:
            file.write(chosen.to(torch.uint8).cpu().numpy().tobytes())
