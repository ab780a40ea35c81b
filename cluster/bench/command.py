"""The `vllm bench serve` that measures one cell, word for word."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cluster.bench.workload import Cell
from cluster.inventory import Inventory

#: What vLLM calls its own result, in the folder where it runs.
RESULT = "vllm.json"

#: The inventory's arguments that say how the tokenizer is made.
_TOKENIZER = ("--tokenizer", "--tokenizer-mode")


def argv(
    inventory: Inventory, cell: Cell, *, vllm: str, url: str, tokenizer: str, rate: float, seed: int, salt: str
) -> tuple[str, ...]:
    """`vllm` is the program, `url` the server as it is reached from there, `tokenizer` the model's folder there.

    The guide's command, and besides: a seed; a salt for the server's prefix cache, unless empty; no request ahead
    of the run (the ready check of older versions sends the first prompt, which is then cached); and all that is
    known of each request in the result. A key travels as OPENAI_API_KEY.
    """
    model, workload = inventory.model, cell.workload
    given = dict(_given(inventory.serve.arguments))
    return (
        *(vllm, "bench", "serve", "--backend", "openai", "--base-url", url, "--endpoint", "/v1/completions"),
        *("--model", model.id, "--served-model-name", model.served_name),
        *("--tokenizer", given.get("--tokenizer", tokenizer)),
        *(("--tokenizer-mode", given["--tokenizer-mode"]) if "--tokenizer-mode" in given else ()),
        *("--dataset-name", "random"),
        *("--random-input-len", str(workload.input_len), "--random-output-len", str(workload.output_len)),
        *("--request-rate", f"{rate:g}", "--num-prompts", str(cell.num_prompts), "--ignore-eos"),
        *("--seed", str(seed), "--ready-check-timeout-sec", "0", "--disable-tqdm"),
        *("--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,90,99"),
        *("--save-result", "--save-detailed", "--result-dir", ".", "--result-filename", RESULT),
        *(("--extra-body", json.dumps({"cache_salt": salt})) if salt else ()),
        *(("--trust-remote-code",) if "--trust-remote-code" in inventory.serve.arguments else ()),
    )


def _given(arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """`--name value` and `--name=value` alike."""
    for word, after in zip(arguments, (*arguments[1:], ""), strict=False):
        name, equals, value = word.partition("=")
        if name in _TOKENIZER:
            yield name, value if equals else after
