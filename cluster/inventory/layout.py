"""The same inventory in another layout."""

from __future__ import annotations

from cluster.errors import UsageError
from cluster.inventory.models import Inventory
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
