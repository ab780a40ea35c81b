"""Inventories made of another one: in another layout, or of one host alone.

That of one host is kept for as long as something of a cluster may be there.
"""

from __future__ import annotations

from cluster.errors import UsageError
from cluster.inventory.models import Inventory, ModelSpec, PreflightSpec, ServeSpec
from cluster.model.heads import attention_heads


def with_layout(inventory: Inventory, tensor_parallel_size: int, pipeline_parallel_size: int) -> Inventory:
    """Returns a copy. Raises UsageError for a layout that does not take all GPUs, or does not divide the model."""
    shown, gpus = f"{tensor_parallel_size}x{pipeline_parallel_size}", tensor_parallel_size * pipeline_parallel_size
    if gpus != inventory.gpus:
        cause = f"its hosts declare {inventory.gpus} GPUs, and {shown} takes {gpus}"
        raise UsageError(
            f"{shown} is no layout of {inventory.cluster}", cause=cause, cure="give tensor x pipeline"
        )
    heads = attention_heads(inventory.model.id)
    if heads is not None and not heads.divides(tensor_parallel_size):
        rule = f"must divide {heads.query} attention heads, and divide or be a multiple of {heads.key_value}"
        cause = f"{tensor_parallel_size} {rule}"
        raise UsageError(f"{shown} does not fit {inventory.model.id}", cause=cause, cure="give another layout")
    sizes = {"tensor_parallel_size": tensor_parallel_size, "pipeline_parallel_size": pipeline_parallel_size}
    return inventory.model_copy(update={"serve": inventory.serve.model_copy(update=sizes)})


def single_host(inventory: Inventory, name: str) -> Inventory:
    """The cluster as it is to this host alone, without a secret in it: it can be kept in a file."""
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
    """Whether this host alone still belongs to `inventory`: what it finds there is what `single` would find."""
    return any(_identity(single, single.head.name) == _identity(inventory, host.name) for host in inventory.hosts)


def _identity(inventory: Inventory, name: str) -> tuple[object, ...]:
    host = inventory.host(name)
    return host.name, host.address.lower(), host.port, host.user, inventory.runtime.state_directory
