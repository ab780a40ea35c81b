"""Wrong arguments of `vllm serve`, each with its cause and fix. Pure functions: no check starts vLLM."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from cluster.inventory import Inventory
from cluster.model import Architecture, Fit
from cluster.plan.arguments import ALIASES, Arguments
from cluster.values import Finding

_GIB = 1 << 30

#: Options that the orchestrator sets itself, and options that a plan must read: a short form would hide them.
_WHOLE = (
    *("--tensor-parallel-size", "--pipeline-parallel-size", "--distributed-executor-backend", "--max-model-len"),
    *("--gpu-memory-utilization", "--quantization", "--kv-cache-dtype", "--cpu-offload-gb", "--enforce-eager"),
    *("--max-num-batched-tokens", "--max-num-seqs", "--language-model-only", "--trust-remote-code"),
)

#: Options with a value that a plan reads, and one that the examples use.
_VALUED = (
    *("--max-model-len", "--gpu-memory-utilization", "--quantization", "--kv-cache-dtype", "--cpu-offload-gb"),
    *("--max-num-batched-tokens", "--max-num-seqs", "--dtype", "--block-size", "--kv-cache-memory-bytes"),
    *("--hf-overrides", "--limit-mm-per-prompt", "--compilation-config"),
)

_TAKES_THE_NEXT = "vLLM takes the next item as its value, even an option; without a next item, it exits at once"

#: The shortest text that counts as a short form of several options: `--max` would match many.
_SHORTEST = 8


def backend(inventory: Inventory, argv: Sequence[str]) -> Iterator[Finding]:
    """Checks the command line as a whole: the last value counts."""
    serve, head = inventory.serve, inventory.head
    ranks = serve.tensor_parallel_size * serve.pipeline_parallel_size
    chosen = Arguments(argv).text("--distributed-executor-backend")
    if ranks > head.gpus and chosen != "ray":
        yield Finding(
            "executor-backend", "", "blocking", f"{ranks} ranks, and {chosen or 'no'} executor backend",
            "--distributed-executor-backend ray",
            why=f"vLLM refuses {ranks} ranks on a head with {head.gpus} GPUs",
            cure="remove it from `serve: arguments:`; the orchestrator sets it",
            source="vllm#29447, vllm#30140",
        )  # fmt: skip


def short_forms(arguments: Arguments) -> Iterator[Finding]:
    """Finds short forms: vLLM accepts any beginning that only one option has."""
    known = set(_WHOLE) | set(_VALUED)
    for option in dict.fromkeys(arguments.options):
        name = option.replace("_", "-")
        whole = sorted(one for one in known if one.startswith(name))
        if whole and name not in known | set(ALIASES) and (len(name) >= _SHORTEST or len(whole) == 1):
            yield Finding(
                "short-form", "", "blocking", option, whole[0],
                why="vLLM would read it as this option, but the orchestrator sets or needs this option itself",
                cure=f"write {whole[0]} in full, or use the key of the inventory for it",
            )  # fmt: skip


def without_value(arguments: Arguments) -> Iterator[Finding]:
    """Finds options without a value: another option follows, or nothing. Keys behind a dot count too."""
    for name in (*_VALUED, *arguments.dotted):
        if arguments.has(name) and _lacks(name, arguments.text(name)):
            yield Finding(
                "argument", "", "blocking", f"{name} needs a value", "a value that vLLM accepts",
                why=_TAKES_THE_NEXT if "." in name else "`vllm serve` exits at once with: expected one argument",
                cure="add its value as the next item of `serve: arguments:`, or remove the option",
            )  # fmt: skip


def _lacks(name: str, value: str | None) -> bool:
    """Returns whether vLLM gets no value here. Behind a dot it accepts an empty text, but not for a
    quantization."""
    return value is None or (value == "" and "." not in name and name != "--quantization")


def unknown(arguments: Arguments, options: Sequence[str]) -> Iterator[Finding]:
    """Finds options that vLLM does not know. `options` are those of the head's vLLM."""
    for option in dict.fromkeys(arguments.options):
        name = option.replace("_", "-")
        short = not name.startswith("--") and any(name.startswith(known) for known in (*options, "-O"))
        begins_another = len(name) >= _SHORTEST and any(known.startswith(name) for known in options)
        if name in options or short or begins_another:
            continue
        near = difflib.get_close_matches(name, options, 1)
        yield Finding(
            "unknown-option", "", "blocking", option, "an option that the vLLM of the head knows",
            why="`vllm serve` exits at once with: unrecognized arguments",
            cure=f"did you mean {near[0]}?" if near else "remove it, or read `vllm serve --help=all` on the head",
            source="the vLLM of the head",
        )  # fmt: skip


def ernie(inventory: Inventory, shape: Architecture, arguments: Arguments, text_only: bool) -> Iterator[Finding]:
    """Yields findings about models with experts for text and for vision, and with their own code."""
    if shape.remote_code and not arguments.has("--trust-remote-code"):
        yield Finding(
            "remote-code", "", "blocking", "--trust-remote-code is missing", "--trust-remote-code",
            why=f"the configuration of {shape.name} is the model's own code: vLLM refuses to read it",
            cure="add it to `serve: arguments:`",
        )  # fmt: skip
    if not shape.vision:
        return
    if arguments.has("--enforce-eager"):
        yield Finding(
            "enforce-eager", "", "warning", "--enforce-eager", "CUDA graphs, which vLLM uses without it",
            why="it gives 5 times fewer tokens a second for ERNIE-4.5-VL with dummy weights, and by calculation "
            "3 times fewer with a "
            "checkpoint; the published guide is outdated: vLLM now supports CUDA graphs",
            cure="remove it from `serve: arguments:`",
            source="measured on an H200: 272 against 1,425 tokens/s (docs/benchmarks.md)",
        )  # fmt: skip
    yield from _images(inventory, shape, text_only)


def _images(inventory: Inventory, shape: Architecture, text_only: bool) -> Iterator[Finding]:
    stages = inventory.serve.pipeline_parallel_size
    if stages > 1 and not text_only:
        yield Finding(
            "pipeline-images", "", "warning", f"{stages} pipeline stages, with images",
            "one stage for requests with images, or --language-model-only",
            why="only the first stage knows which tokens are images: later stages would send them to the experts "
            "for text, without an error",
            cure=f"set tensor_parallel_size: {inventory.gpus}, pipeline_parallel_size: 1",
            source="vLLM 0.32, ernie45_vl.py: read in the code, not run",
        )  # fmt: skip
    if inventory.serve.prove_image and text_only:
        yield Finding(
            "prove-image", "", "blocking", "prove_image: true, but the model has no vision part",
            "prove_image: false, or a vision part",
            why="the engine would refuse the test after the whole load",
            cure="set prove_image: false, or remove --language-model-only",
        )  # fmt: skip


def quantization(arguments: Arguments) -> Iterator[Finding]:
    chosen = arguments.text("--quantization")
    if chosen == "fp8":
        yield Finding(
            "quantization-name", "", "warning", "--quantization fp8", "--quantization fp8_per_tensor",
            why="the old name is deprecated for quantization during the load",
            cure="write fp8_per_tensor",
            source="vLLM 0.32, weight_utils.py; PR vllm#53585",
        )  # fmt: skip
    if chosen and chosen.startswith("fp8") and arguments.fraction("--cpu-offload-gb"):
        yield Finding(
            "quantization-offload", "", "blocking", f"--quantization {chosen} and --cpu-offload-gb", "one of them",
            why="weights that are quantized during the load do not exist yet when vLLM moves them: "
            "Cannot copy out of meta tensor",
            cure="remove --cpu-offload-gb: in FP8 the model is half as large",
            source="vLLM 0.32, offloader/uva.py, run with such a layer",
        )  # fmt: skip


def length(inventory: Inventory, shape: Architecture, fit: Fit) -> Iterator[Finding]:
    """Checks the requested context against the model and against the free memory of the GPUs."""
    max_model_len = fit.service.max_model_len
    longer = dict(inventory.head.environment).get("VLLM_ALLOW_LONG_MAX_MODEL_LEN") == "1"
    if max_model_len > shape.context and not longer:
        yield Finding(
            "context", "", "blocking", f"--max-model-len {max_model_len:,}", f"at most {shape.context:,}",
            why="vLLM refuses more tokens than the model allows",
            cure=f"set --max-model-len {shape.context}",
        )  # fmt: skip
    elif fit.fits is False and fit.longest:
        per_request = max_model_len * max(stage.kv_per_token for stage in fit.stages) / _GIB
        yield Finding(
            "context", "", "blocking", f"a context of {max_model_len:,} tokens",
            f"{fit.longest:,}, which fits",
            why=f"one request of that length needs {per_request:.1f} GiB of KV cache on a GPU; vLLM does not "
            "start without space for one",
            cure=f"set --max-model-len {fit.longest}",
        )  # fmt: skip
