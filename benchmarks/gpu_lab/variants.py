"""Inventories for trials, out of the one that the sandbox wrote, and what is tried to make the engine faster."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LANGUAGE_ONLY = "--language-model-only"


@dataclass(frozen=True)
class Variant:
    """A change to the arguments of the sandbox's inventory, or two joined by "+". `prediction` is its expected
    effect on the output tokens a second of the guide's workload, written before the measurement."""

    name: str
    prediction: str
    arguments: tuple[str, ...] = ()


DEFAULT = Variant("default", "1.00: what the others are compared with")
#: The guide says that CUDA graphs are not supported, which leads to this.
EAGER = Variant("enforce-eager", "0.42: every kernel launched by Python", ("--enforce-eager",))

#: vLLM does not compile this model, yet leaves to the compiler what has a kernel of its own otherwise.
_KERNELS = ("--compilation-config", '{"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}')

#: As many at a time as there are hosts, in this order, as long as there is time.
TUNED: tuple[Variant, ...] = (
    DEFAULT,
    Variant(
        "kernels",
        "1.25: of 6.8 ms on the GPU a step, 2.3 are small kernels: norms, activations, rotary embeddings",
        _KERNELS,
    ),
    Variant(
        "flashinfer",
        "0.98: FlashAttention 3 is the better prefill on Hopper",
        ("--attention-backend", "FLASHINFER"),
    ),
    Variant(
        "kernels+flashinfer",
        "1.33: what each of both gives",
        (*_KERNELS, "--attention-backend", "FLASHINFER"),
    ),
    Variant(
        "kernels+stream-interval-8",
        "1.27: fewer messages, from an engine that is quicker than the server",
        (*_KERNELS, "--stream-interval", "8"),
    ),
    Variant(
        "batched-16384", "1.02: half as many prefill steps; TTFT 5 % less", ("--max-num-batched-tokens", "16384")
    ),
    Variant("sync-scheduling", "0.93: the host's work between steps shows", ("--no-async-scheduling",)),
    Variant(
        "interactivity",
        "1.01: graphs of every batch up to 32, so that fifteen are not padded to sixteen",
        ("--performance-mode", "interactivity"),
    ),
    Variant("batched-32768", "1.02: no more than 16384, at more memory", ("--max-num-batched-tokens", "32768")),
    Variant(
        "batched-4096",
        "0.97: more steps in which prefill delays every decode",
        ("--max-num-batched-tokens", "4096"),
    ),
    Variant(
        "moe-flashinfer",
        "1.05 if it compiles in time: CUTLASS kernels for the experts instead of Triton's",
        ("--moe-backend", "flashinfer_cutlass"),
    ),
    Variant("stream-interval-8", "1.01: fewer messages from engine to client", ("--stream-interval", "8")),
    Variant("no-prefix-cache", "1.00: nothing to find, and hashing is cheap", ("--no-enable-prefix-caching",)),
    Variant("seqs-16", "1.00: graphs of 16 are captured anyhow; less memory for them", ("--max-num-seqs", "16")),
    Variant("block-64", "1.00: the kernel reads pages of either size as fast", ("--block-size", "64")),
    Variant("throughput", "1.00: presets for larger batches than 16", ("--performance-mode", "throughput")),
)

_FP8 = ("--quantization", "fp8_per_tensor")
FP8 = Variant(
    "fp8", "it fits four GPUs of 141 GB: half of the 847 GB, and a layer at a time while it is loaded", _FP8
)
#: What vLLM takes of a GPU of 80 GB, in GiB, and what CUDA keeps of any to itself: `nvidia-smi` counts it.
_OF_80_GB, _KEPT = 0.92 * 79.1, 0.6


def quantized(memory: float) -> tuple[Variant, ...]:
    """On GPUs of that memory (GiB, as `nvidia-smi` says), of which vLLM takes what it would of 80 GB. The guide's
    command for those has the offload; the facts of vLLM say that it is not needed."""
    as_80_gb = (*_FP8, "--gpu-memory-utilization", f"{_OF_80_GB / (memory - _KEPT):.3f}")
    return (
        Variant("80g", "it fits: 56.2 GiB of weights on each of eight GPUs, 50.6 of 27 layers on four", as_80_gb),
        Variant(
            "80g-offload",
            "it does not start: weights that are not there yet cannot be moved to the host",
            (*as_80_gb, "--cpu-offload-gb", "50"),
        ),
    )


@dataclass(frozen=True)
class Trial:
    """A cluster made of some of the sandbox's hosts. `images`: with the vision tower, which is asked about a
    picture before anything is announced."""

    cluster: str
    hosts: Sequence[str]
    model: str = ""
    pipeline: int = 1
    variant: Variant = DEFAULT
    images: bool = False


def inventory(base: dict[str, Any], trial: Trial, place: str) -> dict[str, Any]:
    """The first of its hosts is the head; what compilers make outlives the hosts, for each in a folder of its own
    below `place`."""
    made = copy.deepcopy(base)
    made["cluster"] = f"{base['cluster']}-{trial.cluster}"
    hosts = {host["name"]: host for host in base["hosts"]}
    made["hosts"] = [
        {**hosts[name], "role": "worker" if i else "head", "environment": caches(place, name)}
        for i, name in enumerate(trial.hosts)
    ]
    if trial.model:
        made["model"] = {"id": trial.model, "served_name": trial.model.rpartition("/")[2]}
    made["serve"] = _serve(base["serve"], trial, len(trial.hosts) * base["defaults"]["gpus"])
    return made


def _serve(base: dict[str, Any], trial: Trial, gpus: int) -> dict[str, Any]:
    arguments = [*base["arguments"], *trial.variant.arguments]
    if trial.images:
        arguments = [word for word in arguments if word != _LANGUAGE_ONLY]
        arguments += ["--limit-mm-per-prompt", '{"image": 1, "video": 0}']
    sizes = {"tensor_parallel_size": gpus // trial.pipeline, "pipeline_parallel_size": trial.pipeline}
    return {**base, **sizes, "arguments": arguments, "prove_image": trial.images}


def caches(place: str, host: str) -> dict[str, str]:
    folder = f"{place}/cache/{host}"
    return {
        "TRITON_CACHE_DIR": f"{folder}/triton",
        "VLLM_CACHE_ROOT": f"{folder}/vllm",
        "FLASHINFER_WORKSPACE_BASE": folder,
        "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor",
    }
