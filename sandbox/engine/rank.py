"""One rank: it holds its GPU, reads the weights, and tells which transport it took."""

import contextlib
import json
import os
import socket
from pathlib import Path

from . import nccl
from .nccl import RankLocation


class RayWorkerProc:
    """Named as vLLM's, since nvidia-smi and Ray show the name."""

    def __init__(self, gpu: int, model: str) -> None:
        self.gpu = gpu
        self.model = Path(model)
        self.file = None
        with contextlib.suppress(FileNotFoundError):  # no GPU files: not a sandbox host
            self.file = Path(f"/dev/nvidia{gpu}").open("rb")  # noqa: SIM115 -- held for as long as we live

    def join(self, rank: int, places: list[RankLocation], transport: str, environment: dict[str, str]) -> None:
        """What the host's Ray was started with wins over what the driver had, as in vLLM. Into the file that Ray
        keeps of this process goes what the driver says of it as well."""
        print(f"(Worker pid={os.getpid()}) INFO world_size={len(places)} rank={rank} backend=nccl", flush=True)
        own = {**environment, **os.environ}
        if pattern := own.get("NCCL_DEBUG_FILE"):
            name = pattern.replace("%h", socket.gethostname()).replace("%p", str(os.getpid()))
            interface = own.get("NCCL_SOCKET_IFNAME", "eth0").lstrip("=")
            Path(name).write_text(nccl.log(rank, places, transport, interface))

    def ping(self) -> None:
        """Answered by the living."""

    def shards(self) -> list[str]:
        index = json.loads((self.model / "model.safetensors.index.json").read_text())
        return sorted(set(index["weight_map"].values()))

    def read(self, shard: str) -> None:
        path = self.model / shard
        if not path.exists():
            raise FileNotFoundError(f"Weight files referenced in index but missing: {{'{path}'}}")
        path.read_bytes()
