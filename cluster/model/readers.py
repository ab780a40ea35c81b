"""config.json of a model -> its architecture. An unknown value is reported as unknown, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from cluster.model import decoders, ernie_vl
from cluster.model.architecture import Architecture
from cluster.model.config import UnknownModel

_READERS: dict[str, Callable[[str, Mapping[str, Any]], Architecture]] = {
    **dict.fromkeys(ernie_vl.NAMES, ernie_vl.read),
    **dict.fromkeys(decoders.NAMES, decoders.read),
}


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Returns the architecture that a config.json describes. Raises UnknownModel with the reason."""
    name = _name(config)
    read = _READERS.get(name)
    if read is None:
        raise UnknownModel(f"the size of the architecture {name} is unknown")
    if config.get("quantization_config") or config.get("compression_config"):
        raise UnknownModel("the checkpoint is already quantized, and its size on a GPU is unknown")
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
