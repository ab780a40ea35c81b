"""vLLM's worker for CPUs, which says after the load what the one for GPUs says: `--worker-cls measured.Measured`.

For recordings alone: here the memory is what this process has come to hold meanwhile.
"""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from typing import Any

from vllm.logger import init_logger
from vllm.v1.worker.cpu_worker import CPUWorker

logger = init_logger("vllm.measured")


def held() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Measured(CPUWorker):  # type: ignore[misc]
    def load_model(self, **words: Any) -> None:
        before, begun = held(), time.perf_counter()
        super().load_model(**words)
        took = held() - before
        logger.info(
            "Model loading took %s GiB memory and %.6f seconds",
            round(took / 2**30, 2),
            time.perf_counter() - begun,
        )
