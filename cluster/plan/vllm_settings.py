"""The settings of vLLM in the inventory that affect the memory of a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.inventory import Inventory
from cluster.model import Architecture, Layout, UnknownModel
from cluster.model.layout import BYTES, ONLINE_FP8
from cluster.model.overhead import Service
from cluster.plan.arguments import Arguments

_GIB = 1 << 30

#: Bytes of a cached key or value, by the value of `--kv-cache-dtype`.
_KV_BYTES = {"fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "bfloat16": 2, "float16": 2}

#: Widths of experts that FlashInfer's kernels for Blackwell accept (vLLM 0.32, oracle/unquantized.py).
_KERNEL = 128

#: Options that change the memory of a GPU in ways that are not computed here.
_UNWEIGHED = {
    "--config": "the settings in the file",
    "--decode-context-parallel-size": "the KV cache that it divides",
    "--enable-eplb": "copies of experts",
    "--enable-lora": "adapters",
    "--hf-config-path": "the configuration there",
    "--kv-transfer-config": "its buffers",
    "--num-gpu-blocks-override": "the number of KV cache blocks",
    "--offload-group-size": "the weights that it moves to the host",
    "--prefill-context-parallel-size": "the work that it divides",
    "--quantization-config": "the weights that it quantizes",
    "--speculative-config": "the draft model",
}


@dataclass(frozen=True)
class Card:
    """A GPU as far as it is known: its memory in bytes as nvidia-smi counts, or None; its name.

    `blackwell` is whether it is of that kind (compute capability 10).
    """

    memory: int | None
    measured: bool = False
    name: str = ""
    blackwell: bool = False


def overridden(config: Mapping[str, Any], arguments: Arguments) -> dict[str, Any]:
    """Returns config.json with the values of `--hf-overrides` in it. Raises ValueError."""
    return _merged(config, arguments.mapping("--hf-overrides"))


def _merged(into: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    inner = {
        key: _merged(into[key], value)
        for key, value in over.items()
        if isinstance(value, Mapping) and isinstance(into.get(key), Mapping)
    }
    return {**into, **over, **inner}


def layout(inventory: Inventory, shape: Architecture, arguments: Arguments) -> Layout:
    """Returns the layout. Raises UnknownModel where the size of a weight or of a cached value is unknown."""
    serve, quantization = inventory.serve, arguments.text("--quantization")
    if quantization not in (None, *ONLINE_FP8):
        raise UnknownModel(f"the size of the weights with --quantization {quantization} is unknown")
    element = _element(arguments.text("--dtype") or "auto", shape.dtype)
    return Layout(
        tensor_parallel_size=serve.tensor_parallel_size,
        pipeline_parallel_size=serve.pipeline_parallel_size,
        element=element,
        kv_element=_kv_element(arguments.text("--kv-cache-dtype") or "auto", element),
        fp8=quantization is not None,
        text_only=text_only(arguments),
        by_expert=arguments.has("--enable-expert-parallel"),
    )


def text_only(arguments: Arguments) -> bool:
    """Returns whether the vision part is left out."""
    limits = arguments.mapping("--limit-mm-per-prompt")
    none = all(limits.get(kind) in (0, "0") for kind in ("image", "video"))
    return none or arguments.has("--language-model-only")


def _element(dtype: str, published: str) -> int:
    """Returns the bytes of an element. A model published in 32 bits is served in 16, unless 32 are requested."""
    name = published if dtype == "auto" else dtype
    if name not in BYTES:
        raise UnknownModel(f"the size of an element of type {name} is unknown")
    return min(2, BYTES[name]) if dtype == "auto" else BYTES[name]


def _kv_element(dtype: str, element: int) -> int:
    if dtype == "auto":
        return element
    if dtype not in _KV_BYTES:
        raise UnknownModel(f"the size of a value with --kv-cache-dtype {dtype} is unknown")
    return _KV_BYTES[dtype]


def service(inventory: Inventory, shape: Architecture, arguments: Arguments, card: Card) -> Service:
    """Returns vLLM's use of a GPU. Raises ValueError for a value that is not a number, or that vLLM refuses."""
    length = arguments.number("--max-model-len") if not auto_length(arguments) else None
    tokens, sequences = _defaults(card)
    length = _positive("--max-model-len", length) or shape.context
    tokens = _positive("--max-num-batched-tokens", arguments.number("--max-num-batched-tokens")) or (
        max(tokens, length) if arguments.has("--no-enable-chunked-prefill") else tokens
    )
    return Service(
        max_model_len=length,
        utilization=_share(arguments),
        batched_tokens=tokens,
        sequences=_positive("--max-num-seqs", arguments.number("--max-num-seqs")) or sequences,
        block=_positive("--block-size", arguments.number("--block-size")) or 16,
        graphs=not arguments.has("--enforce-eager"),
        hosts=len(inventory.hosts),
        offload=_offload(arguments),
        cache=_positive("--kv-cache-memory-bytes", arguments.number("--kv-cache-memory-bytes")),
    )


def auto_length(arguments: Arguments) -> bool:
    """Returns whether vLLM must use the longest context that fits."""
    return (arguments.text("--max-model-len") or "").lower() in ("auto", "-1")


def _defaults(card: Card) -> tuple[int, int]:
    """Returns the tokens and requests in a batch, by the GPU (vLLM's `get_batch_defaults`)."""
    if card.memory is not None and card.memory >= 160 * _GIB:
        return 16_384, 1024
    if card.memory is None or (card.memory >= 70 * _GIB and "A100" not in card.name.upper()):
        return 8192, 1024
    return 2048, 256


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and not 0 < value < 1 << 62:
        raise ValueError(f"{name} is {value}")
    return value


def _share(arguments: Arguments) -> float:
    share = arguments.fraction("--gpu-memory-utilization")
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"--gpu-memory-utilization is {share:g}, but must be above 0 and at most 1")
    return 0.92 if share is None else share


def _offload(arguments: Arguments) -> int:
    amount = arguments.fraction("--cpu-offload-gb") or 0.0
    if not 0 <= amount < 1e6:
        raise ValueError(f"--cpu-offload-gb is {amount:g}")
    return int(amount * _GIB)


def padded(shape: Architecture, layout: Layout, card: Card) -> Iterator[str]:
    """Names the padding that vLLM may add: its kernels take experts with a width that is a multiple of 128."""
    narrow = [
        kind
        for kind in (shape.moe.kinds if shape.moe else ())
        if kind.size // layout.tensor_parallel_size % _KERNEL
    ]
    if card.blackwell and narrow and not layout.fp8:
        kinds = " and ".join(kind.kind for kind in narrow)
        what = f"to a multiple of {_KERNEL} on each GPU"
        yield f"on Blackwell vLLM may pad the {kinds} {what}: the figures do not include that"


def unweighed(inventory: Inventory, arguments: Arguments) -> Iterator[str]:
    """Names the requested settings that no figure includes."""
    for option, what in _UNWEIGHED.items():
        if option in arguments.options or arguments.text(option) is not None:
            yield f"{option}: the figures do not include {what}"
    if "VLLM_PP_LAYER_PARTITION" in dict(inventory.head.environment):
        yield "VLLM_PP_LAYER_PARTITION: layers are counted as vLLM splits them without it"
