"""What the machine says of its GPUs, word for word: recordings for tests, with names and serials still in them."""

import sys
from collections.abc import Sequence

_HEALTH = (
    "uuid,pci.bus_id,compute_cap,persistence_mode,mig.mode.current,ecc.errors.uncorrected.volatile.total,"
    "retired_pages.pending,remapped_rows.pending,remapped_rows.failure"
)
_QUERIES = {
    "gpus": "--query-gpu=index,uuid,name,memory.total,memory.used,driver_version",
    "processes": "--query-compute-apps=gpu_uuid,pid,used_memory,process_name",
    "health": f"--query-gpu={_HEALTH}",
    "fabric": "--query-gpu=uuid,fabric.state,fabric.status",
    "newer": "--query-gpu=uuid,gpu_recovery_action,ecc.errors.uncorrected.aggregate.sram.thresholdExceeded",
    "unknown field": "--query-gpu=index,no_such_field",
}
_TORCH = (
    "import json, torch; c = torch.cuda; print(json.dumps({'torch': torch.__version__, 'cuda': torch.version.cuda,"
    " 'nccl': c.nccl.version(), 'gpus': [str(c.get_device_properties(i)) for i in range(c.device_count())]}))"
)
_PLACES = (
    "ls -l /dev/nvidia* /dev/infiniband /proc/driver/nvidia* 2>&1; grep -i -e nvidia -e cuda /proc/self/mountinfo"
)
_LIMITS = "ulimit -a; df -h / /dev/shm /opt /tmp; free -g; nproc; uname -r; cat /proc/driver/nvidia/version"

#: Name -> argv, run on the machine itself; what fails is an answer as well.
OF_THE_MACHINE: dict[str, list[str]] = {
    **{
        f"nvidia-smi {name}": ["nvidia-smi", query, "--format=csv,noheader,nounits"]
        for name, query in _QUERIES.items()
    },
    "nvidia-smi -q": ["nvidia-smi", "-q"],
    "nvidia-smi topo": ["nvidia-smi", "topo", "-m"],
    "devices and mounts": ["sh", "-c", _PLACES],
    "limits": ["sh", "-c", _LIMITS],
    "kernel log of the driver": ["sh", "-c", "dmesg | grep -i -e nvrm -e nvidia | tail -n 200"],
    "torch and nccl": [sys.executable, "-c", _TORCH],
}
TOTAL_MEMORY = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
#: In MiB; what a driver keeps for itself on a GPU that nobody uses is less.
_IDLE = 1024


def in_use(gpus: Sequence[int]) -> dict[str, list[str]]:
    """Name -> argv, the memory before the processes; about these GPUs alone."""
    queries = {
        "memory in use": "--query-gpu=index,memory.used",
        "processes on GPUs": "--query-compute-apps=pid,used_memory",
    }
    chosen = ["-i", ",".join(map(str, gpus)), "--format=csv,noheader,nounits"]
    return {name: ["nvidia-smi", query, *chosen] for name, query in queries.items()}


def free(memory: str, processes: str) -> str:
    """Why not all GPUs are free, from the two answers; empty when they are."""
    rows = [line.split(", ") for line in memory.splitlines() if line.strip()]
    if not rows:
        return "nvidia-smi said nothing"
    busy = [
        f"GPU {index} has {used} MiB in use" for index, used in rows if not used.isdigit() or int(used) > _IDLE
    ]
    held = [f"process {line}" for line in processes.splitlines() if line.strip()]
    return "; ".join(busy + held)
