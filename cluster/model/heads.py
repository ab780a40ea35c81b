"""The attention heads of a model, and whether vLLM can split them over the GPUs that share a layer."""

from __future__ import annotations

from typing import NamedTuple

from cluster.model.known import known_config


class Heads(NamedTuple):
    """Attention heads of a language model: queries, and keys and values."""

    query: int
    key_value: int

    def splits_queries(self, tensor_parallel_size: int) -> bool:
        """Returns whether every GPU gets the same number of query heads."""
        return self.query % tensor_parallel_size == 0

    def splits_keys_and_values(self, tensor_parallel_size: int) -> bool:
        """Returns whether they are split evenly, or repeated evenly where there are more GPUs than heads."""
        smaller, larger = sorted((tensor_parallel_size, self.key_value))
        return larger % smaller == 0

    def keys_on_gpu(self, tensor_parallel_size: int) -> int:
        """Returns the key heads on one GPU; there are as many value heads."""
        return max(1, self.key_value // tensor_parallel_size)

    def divides(self, tensor_parallel_size: int) -> bool:
        """Returns whether vLLM can split these heads so."""
        return self.splits_queries(tensor_parallel_size) and self.splits_keys_and_values(tensor_parallel_size)


def attention_heads(model_id: str) -> Heads | None:
    """Returns the heads of a model that is known without its config.json, otherwise None."""
    config = known_config(model_id)
    return Heads(config["num_attention_heads"], config["num_key_value_heads"]) if config else None
