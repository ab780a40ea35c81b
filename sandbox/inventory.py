"""The sandbox's inventory, for use as it is: where the orchestrator and the sandbox meet."""

import json
from pathlib import Path

from .layout import HostLayout, Layout, venv
from .ssh import CLIENT_KEY, KNOWN_HOSTS

FILE = "inventory.yaml"

# One thread a rank: sixteen ranks share the cores of a laptop. Nothing may reach for the network. Without dynamo
# the first token comes in 0.1 s instead of 24: there is no GPU to compile for.
_ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "TORCHDYNAMO_DISABLE": "1",
}
# float32, because bf16 attention needs AMX, which a virtual machine may not let a process use.
_ARGUMENTS = [
    "--trust-remote-code", "--language-model-only", "--dtype", "float32", "--enforce-eager",
    "--max-model-len", "512", "--kv-cache-memory-bytes", str(64 << 20),
]  # fmt: skip


#: Real GPUs: no weights are read, so that an architecture can be tried without having it. NVLink multicast is off:
#: other machines may have their GPUs on the same switches.
_GPU_ENVIRONMENT = {
    "NCCL_NVLS_ENABLE": "0",
    "TORCH_SYMM_MEM_DISABLE_MULTICAST": "1",
    "NVSHMEM_DISABLE_NVLS": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
_GPU_ARGUMENTS = [
    "--trust-remote-code", "--language-model-only", "--load-format", "dummy", "--max-model-len", "16384",
]  # fmt: skip
_ACCEPTED = dict.fromkeys(("open-endpoint", "open-ports"), "nobody but this machine reaches its sandbox")
_ACCEPTED_OF_REAL = {
    "versions-known-bad": "the vLLM for this machine's torch",
    "open-files": "hosts made of namespaces have the limits of the machine below",
}


def write(layout: Layout, also_to: Path | None) -> None:
    own = layout.order.folder / FILE
    own.write_text(render(layout, KNOWN_HOSTS))
    if also_to is not None:
        also_to.write_text(render(layout, str(layout.order.folder / KNOWN_HOSTS)))


def render(layout: Layout, known_hosts: str) -> str:
    """JSON is YAML, so every value below is quoted as it must be."""
    order = layout.order
    sections: dict[str, object] = {
        "cluster": f"sandbox-{order.name}",
        "known_hosts": known_hosts,
        "environment": _GPU_ENVIRONMENT if order.real else _ENVIRONMENT,
        "defaults": {
            "user": "root", "identity_file": str(order.folder / CLIENT_KEY),
            "gpus": order.gpus, **({} if order.real else {"min_gpu_memory_mib": 80000}),
        },
        "hosts": [_host(host, "worker" if i else "head") for i, host in enumerate(layout.hosts)],
        "model": {"id": str(order.model), "served_name": order.model.name},
        "serve": {
            "tensor_parallel_size": order.hosts * order.gpus, "port": 8000,
            "arguments": _GPU_ARGUMENTS if order.real else _ARGUMENTS,
        },
        "ray": {"declare_gpus": not order.real},
        "runtime": {"venv": str(venv())},
    }  # fmt: skip
    accepted = _ACCEPTED | (_ACCEPTED_OF_REAL if order.real else {})
    sections["preflight"] = {"accept": [{"check": name, "reason": why} for name, why in accepted.items()]}
    return "".join(f"{key}: {_value(value)}\n" for key, value in sections.items())


def _host(host: HostLayout, role: str) -> dict[str, object]:
    addresses = {"address": host.address, "cluster_address": host.cluster_address}
    chosen = {} if host.gpu_ids is None else {"gpu_ids": list(host.gpu_ids)}
    return {"name": host.name, **addresses, "role": role, **chosen}


def _value(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return "".join(f"\n  - {json.dumps(item)}" for item in value)
    if isinstance(value, dict):
        return "".join(f"\n  {key}: {json.dumps(item)}" for key, item in value.items())
    return json.dumps(value)
