"""vLLM's CPU worker, which takes hold of the sandbox's GPU that its rank was given."""

from pathlib import Path

from vllm.v1.worker.cpu_worker import CPUWorker

_SANDBOX = Path("/etc/sandbox")


class GpuHolder(CPUWorker):  # type: ignore[misc]
    def init_device(self) -> None:
        """Here a real rank takes GPU memory; the sandbox's nvidia-smi looks for this open file."""
        given = self.parallel_config.assigned_physical_gpu_ids
        gpu = Path(f"/dev/nvidia{given[self.local_rank] if given else self.local_rank}")
        if _SANDBOX.exists() and gpu.exists():
            self._gpu = gpu.open("rb")
        super().init_device()
