"""The attention heads of models we know, for what can be said before any host is asked."""

from __future__ import annotations

from typing import NamedTuple


class Heads(NamedTuple):
    """Attention heads of a language model: queries, and keys and values."""

    query: int
    key_value: int

    def divides(self, tensor_parallel_size: int) -> bool:
        """Whether vLLM can split these heads so: queries evenly, keys and values split or repeated evenly."""
        smaller, larger = sorted((tensor_parallel_size, self.key_value))
        return self.query % tensor_parallel_size == 0 and larger % smaller == 0


_KNOWN = (
    ("ERNIE-4.5-VL-424B-A47B-PT", Heads(64, 8)),
    ("ERNIE-4.5-VL-424B-A47B-Base-PT", Heads(64, 8)),
    ("ERNIE-4.5-VL-28B-A3B-PT", Heads(20, 4)),
    ("ERNIE-4.5-VL-28B-A3B-Base-PT", Heads(20, 4)),
    ("ERNIE-4.5-VL-28B-A3B-Thinking", Heads(20, 4)),
)


def attention_heads(model_id: str) -> Heads | None:
    """The heads of a model by its repository id or the folder named like it; None when we do not know it."""
    name = model_id.rpartition("/")[2]
    return next((heads for known, heads in _KNOWN if known == name), None)
