"""The same inventory in another layout."""

from __future__ import annotations

from cluster.errors import UsageError
from cluster.inventory.models import Inventory
from cluster.model.heads import attention_heads


def with_layout(inventory: Inventory, tensor: int, pipeline: int) -> Inventory:
    """Raises UsageError for one that does not take all GPUs, or does not divide the model."""
    shown = f"{tensor}x{pipeline}"
    if tensor * pipeline != inventory.gpus:
        cause = f"its hosts declare {inventory.gpus} GPUs, and {shown} takes {tensor * pipeline}"
        raise UsageError(
            f"{shown} is no layout of {inventory.cluster}", cause=cause, cure="give tensor x pipeline"
        )
    heads = attention_heads(inventory.model.id)
    if heads is not None and not heads.divides(tensor):
        cause = (
            f"{tensor} must divide {heads.query} attention heads, and divide or be a multiple of {heads.key_value}"
        )
        raise UsageError(f"{shown} does not fit {inventory.model.id}", cause=cause, cure="give another layout")
    sizes = {"tensor_parallel_size": tensor, "pipeline_parallel_size": pipeline}
    return inventory.model_copy(update={"serve": inventory.serve.model_copy(update=sizes)})
