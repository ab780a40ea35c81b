"""config.json of a model -> its architecture. What is not known is said to be unknown, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.model.architecture import Architecture

#: Far above any model, and small enough that nothing here takes long.
Size = Annotated[int, Field(ge=1, le=10_000_000)]
Count = Annotated[int, Field(ge=1, le=4096)]


class UnknownModel(ValueError):
    """What kept us from knowing the size of a model, in a person's words."""


class Config(BaseModel):
    """What decoders of all kinds say of themselves; a key that says nothing of the size is not looked at."""

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
        """The fields of an architecture that are the same for all."""
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


def architecture(config: Mapping[str, Any]) -> Architecture:
    """The architecture that a config.json describes. Raises UnknownModel with what is in the way."""
    name = _name(config)
    read = _readers().get(name)
    if read is None:
        raise UnknownModel(f"the architecture {name} is not one whose size is known here")
    if config.get("quantization_config") or config.get("compression_config"):
        raise UnknownModel("the checkpoint is quantized already, and what that takes on a GPU is not known here")
    try:
        return read(name, config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise UnknownModel(f"config.json: {place}: {first['msg']}") from None


def _name(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise UnknownModel("config.json names no architecture")
    return names[0]


def _readers() -> dict[str, Callable[[str, Mapping[str, Any]], Architecture]]:
    from cluster.model import decoders, ernie_vl

    return {**dict.fromkeys(ernie_vl.NAMES, ernie_vl.read), **dict.fromkeys(decoders.NAMES, decoders.read)}
