"""Puts GPUs into a host."""

import hashlib
import json
import uuid
from pathlib import Path

from .. import programs

STATE = Path("/etc/sandbox/gpus.json")
_H100 = {"name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559}
_FOREIGN = 'exec 9<"/dev/nvidia$1" || exit 1\nexec sleep infinity\n'


def write(layer: Path) -> None:
    programs.carry(layer, Path(__file__).parent)
    programs.launcher(layer, Path("/usr/bin/nvidia-smi"), "gpus.smi", programs.fast_python())
    programs.script(layer, Path("/usr/local/bin/hold-gpu"), _FOREIGN)


def install(root: Path, count: int, host: str) -> None:
    """Installs simulated GPUs. A scenario edits their state: it removes a GPU, or sets `used_mib`, which no
    process explains."""
    for index in range(count):
        (root / f"dev/nvidia{index}").write_bytes(bytes(4096))
    state = {
        "driver_version": "580.95.05",
        "mib_per_process": 61000,
        "gpus": [_gpu(host, index) for index in range(count)],
    }
    path = root / STATE.relative_to("/")
    path.parent.mkdir()
    path.write_text(json.dumps(state, indent=1))


def _gpu(host: str, index: int) -> dict[str, object]:
    digest = hashlib.sha256(f"{host} {index}".encode()).digest()
    unique = f"GPU-{uuid.UUID(bytes=digest[:16])}"
    return {"index": index, "uuid": unique, **_H100, "used_mib": 0}
