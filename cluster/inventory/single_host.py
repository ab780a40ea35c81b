"""The inventory of one host: it is kept for as long as something of a cluster may be there."""

from __future__ import annotations

from cluster.inventory.models import Inventory, ModelSpec, PreflightSpec, ServeSpec


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
