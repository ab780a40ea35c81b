"""The flags of `vllm serve` that make a difference here; any other is let pass."""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

#: What the sandbox's inventories use, in the form of vLLM's own help.
HELP = """\
usage: vllm serve [model_tag] [options]

options:
  --distributed-executor-backend {ray,mp}
                        Not as --json-arg would have it.
  --dtype {auto,float32}
  --enforce-eager, --no-enforce-eager
  --kv-cache-memory-bytes KV_CACHE_MEMORY_BYTES
  --language-model-only, --no-language-model-only
  --max-model-len MAX_MODEL_LEN
  --middleware MIDDLEWARE
  --tensor-parallel-size TENSOR_PARALLEL_SIZE, -tp TENSOR_PARALLEL_SIZE
  --tokenizer-mode {auto,slow}
  --trust-remote-code, --no-trust-remote-code"""


class Flags(NamedTuple):
    model: str
    served_name: str
    host: str
    port: int
    tensor_parallel_size: int
    pipeline_parallel_size: int
    backend: str
    api_keys: tuple[str, ...]
    middleware: tuple[str, ...] = ()

    @property
    def world_size(self) -> int:
        return self.tensor_parallel_size * self.pipeline_parallel_size


def parse(argv: Sequence[str]) -> Flags:
    words = _by_name(argv[1:])
    model = words.get("", [""])[0]
    keys = words.get("--api-key", []) or [key for key in [os.environ.get("VLLM_API_KEY", "")] if key]
    return Flags(
        model=model,
        served_name=words.get("--served-model-name", [model])[0],
        host=words.get("--host", ["0.0.0.0"])[0],
        port=_number(words, "--port", 8000),
        tensor_parallel_size=_number(words, "--tensor-parallel-size", 1),
        pipeline_parallel_size=_number(words, "--pipeline-parallel-size", 1),
        backend=words.get("--distributed-executor-backend", ["mp"])[0],
        api_keys=tuple(keys),
        # vLLM's frontend in Rust loads nothing of Python.
        middleware=() if os.environ.get("VLLM_USE_RUST_FRONTEND") == "1" else tuple(words.get("--middleware", [])),
    )


def _by_name(argv: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for word in argv:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if name.startswith("--no-such"):
                _refuse(f"unrecognized arguments: {word}")
            found.setdefault(name, []).extend([value] if equals else [])
        else:
            found.setdefault(name, []).append(word)
    return found


def _number(words: dict[str, list[str]], name: str, otherwise: int) -> int:
    text = words.get(name, [str(otherwise)])[0]
    if not text.isdecimal():
        _refuse(f"argument {name}: invalid int value: {text!r}")
    return int(text)


def _refuse(what: str) -> None:
    print(f"usage: vllm serve [model_tag] [options]\nvllm serve: error: {what}", file=sys.stderr)
    sys.exit(2)
