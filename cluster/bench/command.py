"""The `vllm bench serve` that measures one cell, word for word."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cluster.bench.workload import Cell
from cluster.inventory import Inventory

#: The name that vLLM gives its result, in the folder where it runs.
RESULT = "vllm.json"

#: The inventory's arguments that decide how the tokenizer is loaded.
_TOKENIZER = ("--tokenizer", "--tokenizer-mode")


def argv(
    inventory: Inventory, cell: Cell, *, vllm: str, url: str, tokenizer: str, rate: float, seed: int, salt: str
) -> tuple[str, ...]:
    """Returns the command line. `vllm` is the program, `url` the server as reached from there, `tokenizer` the
    model's folder.

    It is the guide's command, with four additions. It has a seed. It has a salt for the server's prefix cache,
    unless that is empty. It sends no request before the run: the ready check of older versions sends the first
    prompt, which is then cached. Its result holds all details of each request.
    A key travels as OPENAI_API_KEY.
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
    """Yields the options, written as `--name value` or `--name=value`."""
    for word, after in zip(arguments, (*arguments[1:], ""), strict=False):
        name, equals, value = word.partition("=")
        if name in _TOKENIZER:
            yield name, value if equals else after
