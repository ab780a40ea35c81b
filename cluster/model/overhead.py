"""The memory of a GPU besides weights and KV cache while vLLM serves: read in its code, assumed where the code is
silent.

Activations are those of vLLM's own profile run. A batch of `--max-num-batched-tokens` passes the encoder, then the
layers; then `--max-num-seqs` tokens pass the sampler. The largest of the three counts, plus the workspace of the
experts, which stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.model.architecture import Architecture, Moe, Vision
from cluster.model.layout import Layout

_MIB = 1 << 20

#: CUDA's context, cuBLAS and the modules of kernels. It is assumed, like CUDA graphs and NCCL's buffers.
_CONTEXT = 768 * _MIB
_GRAPHS = 768 * _MIB
_NCCL_IN_A_HOST, _NCCL_BETWEEN_HOSTS = 512 * _MIB, 1024 * _MIB

#: Copies of the hidden states that a layer has at once: residual, input and output.
_HIDDEN_COPIES = 3
#: Copies of the input of attention: as projected, and as rotated.
_QKV_COPIES = 2
#: Copies of a patch's width in the vision tower. They are its input, and queries, keys and values: as computed, as
#: gathered from all GPUs and as put in order (3 x 3). Two rotated ones in 32 bits are added.
_PATCH_COPIES = 14


@dataclass(frozen=True)
class Share:
    """`size` bytes of one GPU, for `what`; `assumed` where no code shows the size."""

    what: str
    size: int
    assumed: bool = False


@dataclass(frozen=True)
class Service:
    """vLLM's use of a GPU.

    `block` is the number of tokens in a block of the KV cache. `graphs` is off with `--enforce-eager`. `offload`
    and `cache` are bytes for each GPU; `cache` is `--kv-cache-memory-bytes`, and None means all that is left.
    """

    max_model_len: int
    utilization: float = 0.92
    batched_tokens: int = 8192
    sequences: int = 1024
    block: int = 16
    graphs: bool = True
    hosts: int = 1
    offload: int = 0
    cache: int | None = None


def overhead(shape: Architecture, layout: Layout, service: Service, stage: int) -> tuple[Share, ...]:
    """Returns the memory that a GPU of this pipeline stage needs, by purpose."""
    return tuple(share for share in _shares(shape, layout, service, stage) if share.size)


def _shares(shape: Architecture, layout: Layout, service: Service, stage: int) -> Iterator[Share]:
    tokens = service.batched_tokens
    yield Share("CUDA context and libraries", _CONTEXT, assumed=True)
    yield Share("NCCL's buffers", _nccl(layout, service), assumed=True)
    yield Share("CUDA graphs", _GRAPHS * service.graphs, assumed=True)
    if shape.moe:
        yield Share("workspace of the experts", _workspace(shape, shape.moe, layout, tokens))
    peaks = [Share(f"activations of {tokens:,} tokens", _layer(shape, layout, tokens))]
    if stage == layout.pipeline_parallel_size - 1:
        rows = min(service.sequences, tokens)
        peaks.append(Share(f"logits of {rows:,} tokens", rows * shape.vocabulary * (layout.element + 4 + 4)))
    if shape.vision and stage == 0 and not layout.text_only:
        peaks.append(Share(f"images of {tokens:,} tokens", _images(shape.vision, shape, layout, tokens)))
    yield max(peaks, key=lambda share: share.size)


def _nccl(layout: Layout, service: Service) -> int:
    if layout.gpus == 1:
        return 0
    return _NCCL_BETWEEN_HOSTS if service.hosts > 1 else _NCCL_IN_A_HOST


def _workspace(shape: Architecture, moe: Moe, layout: Layout, tokens: int) -> int:
    """Returns Triton's workspace: input and output of every chosen expert (vLLM's
    `TritonExperts.workspace_shapes`)."""
    widest = max(2 * kind.size // (1 if layout.by_expert else layout.tensor_parallel_size) for kind in moe.kinds)
    inner = max(shape.hidden, widest // 2) + max(shape.hidden, widest)
    return tokens * moe.top_k * inner * layout.element


def _layer(shape: Architecture, layout: Layout, tokens: int) -> int:
    ways = layout.tensor_parallel_size
    heads = shape.heads // ways + 2 * shape.attention.keys_on_gpu(ways)
    ffn = max(shape.ffn, shape.moe.shared if shape.moe else 0)
    widths = _HIDDEN_COPIES * shape.hidden + _QKV_COPIES * heads * shape.head_size + 3 * ffn // ways
    gate = 4 * shape.hidden if shape.moe and shape.moe.gate_bytes == 4 else 0
    return tokens * (widths * layout.element + gate)


def _images(vision: Vision, shape: Architecture, layout: Layout, tokens: int) -> int:
    patches = tokens * vision.spatial**2
    inner = _PATCH_COPIES * vision.width + 2 * vision.ffn // layout.tensor_parallel_size
    return patches * inner * layout.element + tokens * shape.hidden * layout.element
