"""Arguments of `vllm serve` that end badly, each with cause and cure. Pure; nothing here starts vLLM."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from cluster.inventory import Inventory
from cluster.model import Architecture, Fit
from cluster.plan.arguments import ALIASES, Arguments
from cluster.values import Finding

_GIB = 1 << 30

#: What the orchestrator gives itself; and what a plan must read, so that a short form would go unseen.
_WHOLE = (
    *("--tensor-parallel-size", "--pipeline-parallel-size", "--distributed-executor-backend", "--max-model-len"),
    *("--gpu-memory-utilization", "--quantization", "--kv-cache-dtype", "--cpu-offload-gb", "--enforce-eager"),
    *("--max-num-batched-tokens", "--max-num-seqs", "--language-model-only", "--trust-remote-code"),
)

#: Options that a plan reads the value of, and one that the examples have.
_VALUED = (
    *("--max-model-len", "--gpu-memory-utilization", "--quantization", "--kv-cache-dtype", "--cpu-offload-gb"),
    *("--max-num-batched-tokens", "--max-num-seqs", "--dtype", "--block-size", "--kv-cache-memory-bytes"),
    *("--hf-overrides", "--limit-mm-per-prompt", "--compilation-config"),
)

_TAKES_THE_NEXT = "vLLM takes the next item for it, even an option, and ends at once where there is none"

#: The shortest that is taken for a short form of several: `--max` would be one of many.
_SHORTEST = 8


def backend(inventory: Inventory, argv: Sequence[str]) -> Iterator[Finding]:
    """The command line as a whole: what stands last counts."""
    serve, head = inventory.serve, inventory.head
    ranks = serve.tensor_parallel_size * serve.pipeline_parallel_size
    chosen = Arguments(argv).text("--distributed-executor-backend")
    if ranks > head.gpus and chosen != "ray":
        yield Finding(
            "executor-backend", "", "blocking", f"{ranks} ranks, and {chosen or 'no'} executor backend",
            "--distributed-executor-backend ray",
            why=f"vLLM refuses {ranks} ranks where the host of its command has {head.gpus} GPUs",
            cure="take it out of `serve: arguments:`; the orchestrator gives it",
            source="vllm#29447, vllm#30140",
        )  # fmt: skip


def short_forms(arguments: Arguments) -> Iterator[Finding]:
    """vLLM takes any beginning of an option that is one of only one."""
    known = set(_WHOLE) | set(_VALUED)
    for option in dict.fromkeys(arguments.options):
        name = option.replace("_", "-")
        whole = sorted(one for one in known if one.startswith(name))
        if whole and name not in known | set(ALIASES) and (len(name) >= _SHORTEST or len(whole) == 1):
            yield Finding(
                "short-form", "", "blocking", option, whole[0],
                why="vLLM would take it for that, unseen by the orchestrator, which gives it or reckons with it",
                cure=f"write {whole[0]} out, or leave it to the key of the inventory that stands for it",
            )  # fmt: skip


def without_value(arguments: Arguments) -> Iterator[Finding]:
    """Options that are followed by another one, or by nothing; keys behind a dot too."""
    for name in (*_VALUED, *arguments.dotted):
        if arguments.has(name) and _lacks(name, arguments.text(name)):
            yield Finding(
                "argument", "", "blocking", f"{name} needs a value", "a value that vLLM takes",
                why=_TAKES_THE_NEXT if "." in name else "`vllm serve` ends at once with: expected one argument",
                cure="give it the next item of `serve: arguments:`, or take the option out",
            )  # fmt: skip


def _lacks(name: str, value: str | None) -> bool:
    """Whether vLLM has no value here. Behind a dot it takes empty text, and no quantization for empty text."""
    return value is None or (value == "" and "." not in name and name != "--quantization")


def unknown(arguments: Arguments, options: Sequence[str]) -> Iterator[Finding]:
    """`options` are those that the vLLM of the head takes."""
    for option in dict.fromkeys(arguments.options):
        name = option.replace("_", "-")
        short = not name.startswith("--") and any(name.startswith(known) for known in (*options, "-O"))
        begins_another = len(name) >= _SHORTEST and any(known.startswith(name) for known in options)
        if name in options or short or begins_another:
            continue
        near = difflib.get_close_matches(name, options, 1)
        yield Finding(
            "unknown-option", "", "blocking", option, "an option that the vLLM of the head takes",
            why="`vllm serve` ends at once with: unrecognized arguments",
            cure=f"did you mean {near[0]}?" if near else "take it out, or see `vllm serve --help=all` on the head",
            source="asked of the head",
        )  # fmt: skip


def ernie(inventory: Inventory, shape: Architecture, arguments: Arguments, text_only: bool) -> Iterator[Finding]:
    """Findings about models with experts for text and for vision, and code of their own."""
    if shape.remote_code and not arguments.has("--trust-remote-code"):
        yield Finding(
            "remote-code", "", "blocking", "no --trust-remote-code", "--trust-remote-code",
            why=f"the configuration of {shape.name} is code of the model's own: vLLM refuses to read it",
            cure="add it to `serve: arguments:`",
        )  # fmt: skip
    if not shape.vision:
        return
    if arguments.has("--enforce-eager"):
        yield Finding(
            "enforce-eager", "", "warning", "--enforce-eager", "CUDA graphs, which vLLM takes without it",
            why="5 times fewer tokens a second with ERNIE-4.5-VL of dummy weights, 3 times by reckoning with a "
            "checkpoint's; the published guide, which says that CUDA graphs are not supported, is out of date",
            cure="take it out of `serve: arguments:`",
            source="measured on an H200: 272 against 1,425 tokens/s (docs/benchmarks.md)",
        )  # fmt: skip
    yield from _images(inventory, shape, text_only)


def _images(inventory: Inventory, shape: Architecture, text_only: bool) -> Iterator[Finding]:
    stages = inventory.serve.pipeline_parallel_size
    if stages > 1 and not text_only:
        yield Finding(
            "pipeline-images", "", "warning", f"{stages} pipeline stages, with images",
            "one stage where images are asked about, or --language-model-only",
            why="only the first stage learns which tokens are images: later ones would send them to the experts "
            "for text, in silence",
            cure=f"tensor_parallel_size: {inventory.gpus}, pipeline_parallel_size: 1",
            source="vLLM 0.32, ernie45_vl.py: read, not run",
        )  # fmt: skip
    if inventory.serve.prove_image and text_only:
        yield Finding(
            "prove-image", "", "blocking", "prove_image: true, and no vision part", "one or the other",
            why="the proof would be refused after the whole load",
            cure="prove_image: false, or take --language-model-only out",
        )  # fmt: skip


def quantization(arguments: Arguments) -> Iterator[Finding]:
    chosen = arguments.text("--quantization")
    if chosen == "fp8":
        yield Finding(
            "quantization-name", "", "warning", "--quantization fp8", "--quantization fp8_per_tensor",
            why="the old name is deprecated for a checkpoint that is quantized while it is loaded",
            cure="write fp8_per_tensor",
            source="vLLM 0.32, weight_utils.py; PR vllm#53585",
        )  # fmt: skip
    if chosen and chosen.startswith("fp8") and arguments.fraction("--cpu-offload-gb"):
        yield Finding(
            "quantization-offload", "", "blocking", f"--quantization {chosen} and --cpu-offload-gb", "one of them",
            why="weights that are quantized during the load are not there yet when they are to be moved: "
            "Cannot copy out of meta tensor",
            cure="leave --cpu-offload-gb out: in FP8 the model is half as large",
            source="vLLM 0.32, offloader/uva.py, run with such a layer",
        )  # fmt: skip


def length(inventory: Inventory, shape: Architecture, fit: Fit) -> Iterator[Finding]:
    """The context that is asked for: by the model, and by what is left of the GPUs."""
    max_model_len = fit.service.max_model_len
    longer = dict(inventory.head.environment).get("VLLM_ALLOW_LONG_MAX_MODEL_LEN") == "1"
    if max_model_len > shape.context and not longer:
        yield Finding(
            "context", "", "blocking", f"--max-model-len {max_model_len:,}", f"{shape.context:,} at most",
            why="vLLM refuses more than the model was made for",
            cure=f"--max-model-len {shape.context}",
        )  # fmt: skip
    elif fit.fits is False and fit.longest:
        per_request = max_model_len * max(stage.kv_per_token for stage in fit.stages) / _GIB
        yield Finding(
            "context", "", "blocking", f"a context of {max_model_len:,} tokens",
            f"{fit.longest:,}, which is what fits",
            why=f"one request of that length takes {per_request:.1f} GiB of KV cache on a GPU, and vLLM does not "
            "start without room for one",
            cure=f"--max-model-len {fit.longest}",
        )  # fmt: skip
