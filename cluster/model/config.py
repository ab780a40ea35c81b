"""The part of config.json that is the same for all decoders."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

#: Far above any model, and small enough to keep all computations short.
Size = Annotated[int, Field(ge=1, le=10_000_000)]
Count = Annotated[int, Field(ge=1, le=4096)]


class UnknownModel(ValueError):
    """The size of a model is unknown; the message is the reason, in the operator's words."""


class Config(BaseModel):
    """The keys of all kinds of decoders. A key that does not affect the size is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    hidden_size: Size
    num_hidden_layers: Count
    num_attention_heads: Count
    num_key_value_heads: Count
    head_dim: Size | None = None
    intermediate_size: Size
    vocab_size: Size
    max_position_embeddings: Size
    dtype: str | None = None
    torch_dtype: str | None = None

    @property
    def common(self) -> dict[str, Any]:
        """Returns the fields of an architecture that are the same for all."""
        return {
            "dtype": self.dtype or self.torch_dtype or "float32",
            "layers": self.num_hidden_layers,
            "hidden": self.hidden_size,
            "heads": self.num_attention_heads,
            "kv_heads": self.num_key_value_heads,
            "head_size": self.head_dim or self.hidden_size // self.num_attention_heads,
            "ffn": self.intermediate_size,
            "vocabulary": self.vocab_size,
            "context": self.max_position_embeddings,
        }
