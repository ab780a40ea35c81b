"""The environment of every unit on a host. Each variable prevents a failure that happened; its comment names
it."""

from __future__ import annotations

from cluster.inventory import HostSpec, Inventory, is_secret
from cluster.values import LaunchTarget

Variables = tuple[tuple[str, str], ...]

#: A unit is outdated when one of these versions changes.
_VERSIONS = ("ray", "vllm", "torch")
#: The default timeouts end a slow load. The grace period lets ranks exit by themselves, so that GPUs are released
#: at once.
_TIMEOUTS = {"VLLM_ENGINE_READY_TIMEOUT_S": "7200", "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "30"}


def environment(inventory: Inventory, spec: HostSpec, facts: LaunchTarget) -> dict[str, str]:
    """Returns the variables that a unit on this host has besides those of the session. The inventory's values win.

    Ranks inherit them from the raylet, and the raylet's values win over those of the driver.
    """
    ours = _network(spec, facts) | _gpus(spec) | _caches(facts.state) | _logs(facts.state) | _TIMEOUTS
    if inventory.uses_ray:
        ours |= authentication(facts.state) | _ray()
    if not inventory.model.download:
        # Without it, a rank would download the whole checkpoint without a message. It is read at import, so the
        # driver's value comes too late.
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
    """Returns the address of Ray on the head. Ray needs brackets around an IPv6 address."""
    address = inventory.head.cluster_address
    return f"[{address}]:{inventory.ray.port}" if ":" in address else f"{address}:{inventory.ray.port}"


def authentication(state: str) -> dict[str, str]:
    """Always sets it: a head with a `~/.ray/auth_token` turns it on by itself, workers and drivers do not."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": token_path(state)}


def token_path(state: str) -> str:
    return f"{state}/ray.token"


def nccl_logs(state: str) -> str:
    """Returns the path of the ranks' NCCL logs; NCCL replaces %h by the host's name and %p by the pid."""
    return f"{state}/nccl.%h.%p.log"


def _network(spec: HostSpec, facts: LaunchTarget) -> dict[str, str]:
    interface = facts.interface(spec.cluster_address)
    return {
        # If it differs from Ray's address, a placement group waits 1800 s (vllm#13388).
        "VLLM_HOST_IP": spec.cluster_address,
        # Otherwise gloo takes the address of the hostname, often 127.0.1.1 (vllm#7074).
        "GLOO_SOCKET_IFNAME": interface,
        # NCCL reads a bare name as a prefix.
        "NCCL_SOCKET_IFNAME": f"={interface}",
    }


def _gpus(spec: HostSpec) -> dict[str, str]:
    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if spec.gpu_ids is None:
        return order
    return order | {"CUDA_VISIBLE_DEVICES": ",".join(map(str, spec.gpu_ids))}


def _caches(state: str) -> dict[str, str]:
    """Returns folders on the host's own disk: compile caches in homes on NFS race between the hosts."""
    return {
        "TRITON_CACHE_DIR": f"{state}/cache/triton",
        "VLLM_CACHE_ROOT": f"{state}/cache/vllm",
        "FLASHINFER_WORKSPACE_BASE": f"{state}/cache",
        "TORCHINDUCTOR_CACHE_DIR": f"{state}/cache/inductor",
        "HF_MODULES_CACHE": f"{state}/cache/modules",
    }


def _logs(state: str) -> dict[str, str]:
    """Sets NCCL's logs: they show the transport a minute after launch, before the weights are loaded."""
    return {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT,NET", "NCCL_DEBUG_FILE": nccl_logs(state)}


def _ray() -> dict[str, str]:
    return {
        # Ray's OOM killer counts page cache, which loading a checkpoint fills (ray#39723).
        "RAY_memory_monitor_refresh_ms": "0",
        # Otherwise a driver started by `uv run` re-creates its environment on every worker (ray#50462).
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    }
