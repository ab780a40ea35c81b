"""Inventories that are made from another one: in another layout, or with one host alone.

The inventory of one host is kept for as long as the cluster may have resources there.
"""

from __future__ import annotations

from cluster.errors import UsageError
from cluster.inventory.models import Inventory, ModelSpec, PreflightSpec, ServeSpec
from cluster.model.heads import attention_heads


def with_layout(inventory: Inventory, tensor_parallel_size: int, pipeline_parallel_size: int) -> Inventory:
    """Returns a copy. Raises UsageError for a layout that does not use all GPUs, or that the model cannot have."""
    shown, gpus = f"{tensor_parallel_size}x{pipeline_parallel_size}", tensor_parallel_size * pipeline_parallel_size
    if gpus != inventory.gpus:
        cause = f"its hosts declare {inventory.gpus} GPUs, but {shown} needs {gpus}"
        raise UsageError(
            f"{shown} is not a layout of {inventory.cluster}",
            cause=cause,
            cure="write the layout as TENSORxPIPELINE",
        )
    heads = attention_heads(inventory.model.id)
    if heads is not None and not heads.divides(tensor_parallel_size):
        rule = f"must divide {heads.query} attention heads, and divide or be a multiple of {heads.key_value}"
        cause = f"{tensor_parallel_size} {rule}"
        raise UsageError(f"{shown} does not fit {inventory.model.id}", cause=cause, cure="choose another layout")
    sizes = {"tensor_parallel_size": tensor_parallel_size, "pipeline_parallel_size": pipeline_parallel_size}
    return inventory.model_copy(update={"serve": inventory.serve.model_copy(update=sizes)})


def single_host(inventory: Inventory, name: str) -> Inventory:
    """Returns the cluster as this host alone sees it, without secrets: it can be kept in a file."""
    host = inventory.host(name)
    return inventory.model_copy(
        update={
            "hosts": (host.model_copy(update={"role": "head", "environment": ()}),),
            "model": ModelSpec(id=inventory.model.id),
            "serve": ServeSpec(tensor_parallel_size=host.gpus, port=inventory.serve.port),
            "preflight": PreflightSpec(),
        }
    )


def is_of(single: Inventory, inventory: Inventory) -> bool:
    """Returns whether this single host still belongs to `inventory`: both would find the same units there."""
    return any(_identity(single, single.head.name) == _identity(inventory, host.name) for host in inventory.hosts)


def _identity(inventory: Inventory, name: str) -> tuple[object, ...]:
    host = inventory.host(name)
    return host.name, host.address.lower(), host.port, host.user, inventory.runtime.state_directory
