"""Inventories and what is seen of healthy hosts, as values; a test says what it wants otherwise."""

from __future__ import annotations

from typing import Any

from cluster.inventory import HostSpec, Inventory
from cluster.launch.unit import Name, Unit
from cluster.values import Facts, Gpu, GpuProcess, Presence, RdmaPort, UnitState
from cluster.values.facts import GpuHealth, Hardware, Hub, Links, Machine, ModelFiles, Software
from cluster.views import HostView, Observed

STATE = "/var/tmp/o-1000/0123abcd"
BOOT = "3f0c2a4e-0000-4000-8000-000000000001"
ABSENT = UnitState(presence=Presence.ABSENT)

#: Its network is closed, so that it needs no key.
_CLOSED = tuple({"check": name, "reason": "the network is closed"} for name in ("open-endpoint", "open-ports"))

_VERSIONS = {"ray": "2.60.0", "vllm": "0.32.0", "torch": "2.9.1", "transformers": "5.0.0"}


def inventory(hosts: int = 2, gpus: int = 8, each: dict[str, Any] | None = None, **overrides: Any) -> Inventory:
    """gpu-a (10.0.0.1, the head), gpu-b (10.0.0.2) and so on, all GPUs in one tensor-parallel group.

    `each` goes over every host; an override goes over a section (`serve={"port": 9000}`) or replaces a value.
    """
    written: dict[str, Any] = {
        "cluster": "demo",
        "model": {"id": "baidu/ERNIE-4.5-VL-424B-A47B-PT", "served_name": "ernie"},
        "serve": {"tensor_parallel_size": hosts * gpus},
        "runtime": {"venv": "/opt/vllm"},
        "hosts": tuple(_host(number, gpus, each or {}) for number in range(hosts)),
        "ray": {},
        "preflight": {"accept": _CLOSED},
    }
    for key, value in overrides.items():
        written[key] = {**written[key], **value} if isinstance(value, dict) else value
    return Inventory.model_validate(written)


def _host(number: int, gpus: int, each: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"gpu-{chr(ord('a') + number)}",
        "address": f"10.0.0.{number + 1}",
        "cluster_address": f"192.168.0.{number + 1}",
        "role": "worker" if number else "head",
        "gpus": gpus,
        **each,
    }


def card(index: int, *processes: GpuProcess, host: str = "gpu-a", **overrides: Any) -> Gpu:
    """An H100 80GB, idle unless it has `processes`."""
    used = sum(one.used_mib or 0 for one in processes)
    values: dict[str, Any] = {
        "index": index,
        "uuid": f"GPU-{host}-{index}",
        "name": "NVIDIA H100 80GB HBM3",
        "memory_mib": 81559,
        "used_mib": used,
        "processes": processes,
    }
    return Gpu(**{**values, **overrides})


def health(index: int, host: str = "gpu-a", **overrides: Any) -> GpuHealth:
    """The health of a good `card`."""
    values: dict[str, Any] = {
        "uuid": f"GPU-{host}-{index}", "bus": f"0000:{index + 16:02x}:00", "capability": "9.0",
        "persistent": True, "mig": False, "uncorrected": 0, "pages_pending": None, "rows_pending": False,
        "rows_failed": False, "sram_exceeded": False, "fabric_state": "Completed", "fabric_status": "Success",
        "recovery": "None",
    }  # fmt: skip
    return GpuHealth(**{**values, **overrides})


def hardware(spec: HostSpec, **overrides: Any) -> Hardware:
    """GPUs behind NVSwitches, and a kernel log without a word of them."""
    indices = spec.gpu_ids if spec.gpu_ids is not None else range(spec.gpus)
    values: dict[str, Any] = {
        "health": tuple(health(index, spec.name) for index in indices),
        "xids": (),
        "nvswitch": True,
        "fabric_manager": True,
        "fabric_manager_version": "580.95.05",
    }
    return Hardware(**{**values, **overrides})


def facts(spec: HostSpec, **overrides: Any) -> Facts:
    """A healthy H100 host as `spec` declares it, on which nothing of ours runs."""
    indices = spec.gpu_ids if spec.gpu_ids is not None else range(spec.gpus)
    values: dict[str, Any] = {
        "boot_id": BOOT,
        "uid": 1000,
        "user": "ubuntu",
        "hostname": spec.name,
        "python": "3.12.3",
        "python_is_venvs": True,
        "versions": _VERSIONS,
        "driver": "580.95.05",
        "gpus": tuple(card(index, host=spec.name) for index in indices),
        "gpu_problem": "",
        "addresses": {"lo": ("127.0.0.1",), "eth0": (spec.address,), "eth1": (spec.cluster_address,)},
        "listeners": (),
        "nofile": 1048576,
        "memlock": -1,
        "state": STATE,
        "state_problem": "",
        "free_mib": 500_000,
        "model": ModelFiles(path="/models/ernie", sizes={"config.json": 9000, "model.safetensors": 5_000_000}),
        "ray": ABSENT,
        "vllm": ABSENT,
        "hardware": hardware(spec),
        "software": software(),
        "links": links(spec),
        "machine": machine(),
        "clock": (0.0, 0.0),
    }
    return Facts(**{**values, **overrides})


def software(**overrides: Any) -> Software:
    """All that a start needs."""
    values: dict[str, Any] = {
        "ninja": "/opt/vllm/bin/ninja",
        "compiler": "/usr/bin/cc",
        "demands": ("torch==2.9.1", 'ray>=2.48; extra == "ray"'),
        "unimportable": (),
    }
    return Software(**{**values, **overrides})


def machine(**overrides: Any) -> Machine:
    """A GPU server with room for everything, on which nobody else works."""
    values: dict[str, Any] = {
        "shm_mib": 1_000_000,
        "shm_free_mib": 1_000_000,
        "memory_free_mib": 1_900_000,
        "memlock_binds": True,
        "tasks": 8_000_000,
        "tasks_hard": 8_000_000,
        "group_tasks": -1,
        "ended_at_logout": False,
        "state_system": "ext4",
        "state_noexec": False,
        "state_used": 0.3,
        "strangers": (),
        "hub": Hub(path="/hf/hub", free_mib=3_000_000, held_mib=0),
    }
    return Machine(**{**values, **overrides})


def rdma(number: int, **overrides: Any) -> RdmaPort:
    """A port of an H100 host's InfiniBand."""
    values: dict[str, Any] = {"state": "ACTIVE", "physical": "LinkUp", "rate": "400 Gb/sec (4X NDR)"}
    values |= {"device": f"mlx5_{number}", "port": 1, "layer": "InfiniBand", "roce_gids": ()}
    return RdmaPort(**{**values, **overrides})


def links(spec: HostSpec, **overrides: Any) -> Links:
    """All well between the hosts; eight ports of InfiniBand."""
    values: dict[str, Any] = {"resolved": (spec.address,), "sources": {}, "mtu": 9000, "environment": {}}
    values |= {"rdma": tuple(map(rdma, range(8))), "peer_memory": True}
    return Links(**{**values, **overrides})


def view(spec: HostSpec, **overrides: Any) -> HostView:
    """A host that could be looked at."""
    return HostView(spec.name, facts(spec, **overrides))


def seen(inventory: Inventory, **overrides: Any) -> Observed:
    """Every host of `inventory`, all with the same overrides."""
    return {spec.name: view(spec, **overrides) for spec in inventory.hosts}


def alive(unit: Unit, **overrides: Any) -> UnitState:
    """What is seen of `unit` while it runs as wanted."""
    values: dict[str, Any] = {"presence": Presence.ALIVE, "argv": unit.argv, "fingerprint": unit.fingerprint}
    return UnitState(**{**values, "pids": (4001, 4002), "age": 60.0, **overrides})


def dead(*pids: int, name: Name = "ray") -> UnitState:
    """A unit whose keeper or leader is gone, of which `pids` still live."""
    return UnitState(presence=Presence.DEAD, argv=(name,), pids=pids)
