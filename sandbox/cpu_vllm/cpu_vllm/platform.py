"""vLLM's CPU platform, with what Ray's executor asks of a platform."""

from typing import TYPE_CHECKING

from vllm.platforms.cpu import CpuPlatform

if TYPE_CHECKING:
    from vllm.config import VllmConfig


class CpuOverRay(CpuPlatform):  # type: ignore[misc]
    # The sandbox declares its GPUs to Ray by number; a rank takes one of them.
    ray_device_key = "GPU"

    @classmethod
    def get_device_communicator_cls(cls) -> str:
        """Gloo alone: the CPU communicator takes all ranks of Ray for one host and wants shared memory."""
        return "vllm.distributed.device_communicators.base_device_communicator.DeviceCommunicatorBase"

    @classmethod
    def check_and_update_config(cls, vllm_config: "VllmConfig") -> None:
        super().check_and_update_config(vllm_config)
        vllm_config.parallel_config.worker_cls = "cpu_vllm.worker.GpuHolder"
