"""The arguments of `vllm serve` that the orchestrator gives itself, and the keys to use instead."""

from __future__ import annotations

import re

from pydantic import AfterValidator

_OWN = "the orchestrator gives it itself"
_RESERVED = (
    (("--tensor-parallel-size", "-tp"), "use serve.tensor_parallel_size"),
    (("--pipeline-parallel-size", "-pp"), "use serve.pipeline_parallel_size"),
    (("--host",), "use serve.host"),
    (("--port",), "use serve.port"),
    (("--api-key",), "use serve.api_key"),
    (("--hf-token",), "a secret must not stand in an argument list: use environment.HF_TOKEN"),
    (("--served-model-name",), "use model.served_name"),
    (("--revision",), "use model.revision"),
    (("--model",), "use model.id"),
    (("--uds",), "the endpoint is asked over TCP: use serve.host and serve.port"),
    (("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs"), "the endpoint is asked over HTTP: TLS is for a proxy"),
    (("--config",), "what it holds would not be seen: write its arguments here"),
    (("--distributed-executor-backend",), f"{_OWN}: ray where several hosts serve"),
    (("--data-parallel-size", "-dp"), "tensor and pipeline parallelism take all declared GPUs"),
    (("--nnodes", "-n", "--node-rank", "-r", "--master-addr", "--headless"), f"{_OWN}: the hosts decide"),
)


#: What may be shown of an item: names of options, and numbers. Anything else may be a secret.
_SHOWN = re.compile(r"--?[a-z][a-z_-]*|[0-9]{1,9}")


def _free(argument: str) -> str:
    if not argument.startswith("-"):
        return argument
    # vLLM reads --tensor_parallel_size as --tensor-parallel-size; what follows the name may be a secret.
    name = re.split(r"[=\s]", argument)[0].replace("_", "-")
    for names, instead in _RESERVED:
        if name in names:
            raise ValueError(f"{name} is not for here: {instead}")
    return _one_word(argument)


def _one_word(argument: str) -> str:
    """White space is part of a value behind "=", and of JSON."""
    option = re.split("[={]", argument)[0]
    if not re.search(r"\s", option):
        return argument
    words = [*option.split(), *argument[len(option) :].split()[:1]]
    if len(words) == 1:
        raise ValueError("one word an item: take the white space away")
    shown = ", ".join(f"'{word if _SHOWN.fullmatch(word) else '...'}'" for word in words)
    raise ValueError(f"one word an item: split it into {shown}")


free = AfterValidator(_free)
