"""What every unit on a host is launched with. Each line has bitten somebody; the reason stands beside it."""

from __future__ import annotations

from cluster.inventory import HostSpec, Inventory, is_secret
from cluster.values import LaunchTarget

Variables = tuple[tuple[str, str], ...]

#: Versions that a unit is launched with and must be launched anew without.
_VERSIONS = ("ray", "vllm", "torch")
#: The defaults cut a slow load; the grace lets ranks end by themselves, so that GPUs are free at once.
_TIMEOUTS = {"VLLM_ENGINE_READY_TIMEOUT_S": "7200", "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "30"}


def environment(inventory: Inventory, spec: HostSpec, facts: LaunchTarget) -> dict[str, str]:
    """What the processes of a unit on this host have beside the session's own; the inventory's words win.

    Ranks inherit it from the raylet, and what is set there wins over what the driver brings.
    """
    ours = _network(spec, facts) | _gpus(spec) | _caches(facts.state) | _logs(facts.state) | _TIMEOUTS
    if inventory.uses_ray:
        ours |= authentication(facts.state) | _ray()
    if not inventory.model.download:
        # A rank would fetch the whole checkpoint in silence. Read at import, so the driver's comes too late.
        ours["HF_HUB_OFFLINE"] = "1"
    return ours | dict(spec.environment)


def public(variables: dict[str, str]) -> Variables:
    """Returns the variables that a record on the host may hold."""
    return tuple((name, value) for name, value in variables.items() if not is_secret(name, value))


def secret(variables: dict[str, str]) -> Variables:
    return tuple((name, value) for name, value in variables.items() if is_secret(name, value))


def versions(facts: LaunchTarget) -> Variables:
    return (("python", facts.python), *((name, facts.versions.get(name, "")) for name in _VERSIONS))


def ray_address(inventory: Inventory) -> str:
    """Ray takes no IPv6 address without brackets."""
    address = inventory.head.cluster_address
    return f"[{address}]:{inventory.ray.port}" if ":" in address else f"{address}:{inventory.ray.port}"


def authentication(state: str) -> dict[str, str]:
    """Always explicit: a head with a `~/.ray/auth_token` turns it on by itself, workers and drivers do not."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": token_path(state)}


def token_path(state: str) -> str:
    return f"{state}/ray.token"


def nccl_logs(state: str) -> str:
    """Where the ranks' NCCL writes; NCCL replaces %h by the host's name and %p by the pid."""
    return f"{state}/nccl.%h.%p.log"


def _network(spec: HostSpec, facts: LaunchTarget) -> dict[str, str]:
    interface = facts.interface(spec.cluster_address)
    return {
        # Differs from Ray's address: a placement group that waits 1800 s (vllm#13388).
        "VLLM_HOST_IP": spec.cluster_address,
        # Gloo takes what the hostname resolves to otherwise, often 127.0.1.1 (vllm#7074).
        "GLOO_SOCKET_IFNAME": interface,
        # NCCL takes a bare name for a prefix.
        "NCCL_SOCKET_IFNAME": f"={interface}",
    }


def _gpus(spec: HostSpec) -> dict[str, str]:
    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if spec.gpu_ids is None:
        return order
    return order | {"CUDA_VISIBLE_DEVICES": ",".join(map(str, spec.gpu_ids))}


def _caches(state: str) -> dict[str, str]:
    """Node-local: compile caches in homes on NFS race between the hosts."""
    return {
        "TRITON_CACHE_DIR": f"{state}/cache/triton",
        "VLLM_CACHE_ROOT": f"{state}/cache/vllm",
        "FLASHINFER_WORKSPACE_BASE": f"{state}/cache",
        "TORCHINDUCTOR_CACHE_DIR": f"{state}/cache/inductor",
        "HF_MODULES_CACHE": f"{state}/cache/modules",
    }


def _logs(state: str) -> dict[str, str]:
    """The transport is known a minute after launch, before the weights are loaded."""
    return {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT,NET", "NCCL_DEBUG_FILE": nccl_logs(state)}


def _ray() -> dict[str, str]:
    return {
        # Ray's OOM killer counts page cache, which loading a checkpoint fills (ray#39723).
        "RAY_memory_monitor_refresh_ms": "0",
        # Otherwise a driver started by `uv run` re-creates its environment on every worker (ray#50462).
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    }
