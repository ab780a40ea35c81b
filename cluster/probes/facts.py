"""The probe that reads all facts for preflight from a host, in one round trip."""

from __future__ import annotations

from dataclasses import replace

from cluster.command import Hint, Probe, last_json, program
from cluster.engine.vllm_log import SIGNS
from cluster.inventory import HostSpec, Inventory
from cluster.launch.unit import folder_name
from cluster.values import Facts

_HINTS = (
    Hint(r"python3?: (?:[Nn]ot found|No such file)", "this host has neither the venv's Python nor python3",
         "install Python 3.9 or newer, and the venv that the inventory names under `runtime: venv:`"),
    Hint(r"account is (?:currently )?not available", 
         "this account cannot log in to the host: its shell is nologin",
         "set a shell (`usermod -s /bin/bash USER`), or correct `user:` in the inventory"),
    Hint("SyntaxError|is not subscriptable", "the Python of this host is too old", "install Python 3.9 or newer"),
)  # fmt: skip

#: Bytes: the facts of a host are some ten thousand, and the head's have the model's configuration with them.
_MOST = 1 << 19


def facts(inventory: Inventory, spec: HostSpec) -> Probe[Facts]:
    """Reads the facts of a host: GPUs, versions, addresses, listeners, limits, the model, and our units."""
    payload = {
        "venv": inventory.runtime.venv,
        "state": inventory.runtime.state_directory,
        "folder": folder_name(inventory.cluster, spec.name),
        "ports": ports(inventory, spec),
        "head": spec.role == "head",
        "cluster_address": spec.cluster_address,
        "peers": {peer.name: peer.cluster_address for peer in inventory.hosts if peer.name != spec.name},
        **SIGNS._asdict(),
        "model": {
            "id": inventory.model.id,
            "revision": inventory.model.revision,
            "hf_home": dict(spec.environment).get("HF_HOME", ""),
            "hf_hub_cache": dict(spec.environment).get("HF_HUB_CACHE", ""),
        },
    }
    command = program(
        "facts.facts",
        payload,
        title="read the facts of the host",
        venv=inventory.runtime.venv,
        timeout=60,
        hints=_HINTS,
    )
    return Probe(replace(command, most=_MOST), lambda output: Facts.model_validate(last_json(output)))


def ports(inventory: Inventory, spec: HostSpec) -> tuple[int, ...]:
    """Returns the ports that our units listen on, on this host."""
    ray = inventory.ray
    numbers = [ray.node_manager_port, ray.object_manager_port] if inventory.uses_ray else []
    if spec.role == "head":
        numbers += [ray.port] * inventory.uses_ray + [inventory.serve.port]
    return tuple(numbers)
