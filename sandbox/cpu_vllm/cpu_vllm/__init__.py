"""Plugins of vLLM that let its CPU build join Ray as if it had GPUs.

Kept light: every process of vLLM imports this.
"""


def platform() -> str:
    return "cpu_vllm.platform.CpuOverRay"


def patch_ernie() -> None:
    """ERNIE's rotary embedding takes one argument fewer than the CPU path of its base class hands over."""
    from vllm.model_executor.layers.rotary_embedding.ernie45_vl_rope import Ernie4_5_VLRotaryEmbedding

    def forward_cpu(self, positions, query, key=None, offsets=None):  # type: ignore[no-untyped-def]
        return self.forward_native(positions, query, key)

    Ernie4_5_VLRotaryEmbedding.forward_cpu = forward_cpu


def look_at_models_here() -> None:
    """vLLM looks at a model's class in a Python of its own, which imports all of vLLM again. That is to keep CUDA
    untouched, and here is none."""
    from vllm.model_executor.models import registry

    registry._run_in_subprocess = lambda look: look()
