"""The arguments and variables that the orchestrator sets for vLLM, and the keys to use instead."""

from __future__ import annotations

import re

from pydantic import AfterValidator

_OWN = "the orchestrator sets it"
_ARGUMENTS = (
    (("--tensor-parallel-size", "-tp"), "use serve.tensor_parallel_size"),
    (("--pipeline-parallel-size", "-pp"), "use serve.pipeline_parallel_size"),
    (("--host",), "use serve.host"),
    (("--port",), "use serve.port"),
    (("--api-key",), "use serve.api_key"),
    (("--hf-token",), "a secret must not stand in an argument list: use environment.HF_TOKEN"),
    (("--served-model-name",), "use model.served_name"),
    (("--revision",), "use model.revision"),
    (("--model",), "use model.id"),
    (("--uds",), "the endpoint must use TCP: use serve.host and serve.port"),
    (("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs"), "the endpoint must use HTTP: run a proxy for TLS"),
    (("--config",), "the orchestrator does not read that file: write its arguments here"),
    (("--distributed-executor-backend",), f"{_OWN} to ray where several hosts serve"),
    (("--data-parallel-size", "-dp"), "tensor and pipeline parallelism use all declared GPUs"),
    (
        ("--nnodes", "-n", "--node-rank", "-r", "--master-addr", "--headless"),
        f"{_OWN} for the hosts of the inventory",
    ),
)

_VARIABLES = {
    # One value for all hosts makes a placement group wait for half an hour (vllm#13388).
    "VLLM_HOST_IP": "the orchestrator sets it to the `cluster_address` of each host",
    "CUDA_VISIBLE_DEVICES": "use gpu_ids",
    "VLLM_API_KEY": "use serve.api_key",
    "RAY_ADDRESS": "the orchestrator sets it to the address of the head",
    "RAY_AUTH_MODE": "the orchestrator makes a token for every cluster",
    "RAY_AUTH_TOKEN_PATH": "the orchestrator makes a token for every cluster",
}

#: Parts of an item that may be shown: names of options, and numbers. Anything else may be a secret.
_SHOWN = re.compile(r"--?[a-z][a-z_-]*|[0-9]{1,9}")


def _refuse_argument(argument: str) -> str:
    if not argument.startswith("-") or argument == "-":
        return argument
    if argument == "--":
        raise ValueError("-- is not allowed: vLLM reads no options after it")
    # vLLM reads --tensor_parallel_size as --tensor-parallel-size, and makes JSON of the text after a dot.
    name = re.split(r"[=\s.]", argument)[0].replace("_", "-")
    for names, instead in _ARGUMENTS:
        for own in names:
            if _means(name, own):
                # The text after the name may be a secret.
                taken = own if name.startswith(own) else f"{name}, which vLLM may read as {own},"
                raise ValueError(f"{taken} is not allowed: {instead}")
    return _one_word(argument)


def _means(name: str, own: str) -> bool:
    """Returns whether vLLM may read `name` as its option `own`: a beginning of it, `--no-`, or a value attached to
    it."""
    glued = not own.startswith("--") and name.startswith(own) and not name[len(own) :][:1].isalpha()
    return own.startswith(name) or name == f"--no-{own[2:]}" or glued


def _one_word(argument: str) -> str:
    """Refuses white space in the name of an option; it is allowed in a value behind "=", and in JSON."""
    option = re.split("[={]", argument)[0]
    if not re.search(r"\s", option):
        return argument
    words = [*option.split(), *argument[len(option) :].split()[:1]]
    if len(words) == 1:
        raise ValueError("write one argument per list item, without spaces")
    shown = ", ".join(f"'{word if _SHOWN.fullmatch(word) else '...'}'" for word in words)
    raise ValueError(f"write one argument per list item: split it into {shown}")


def _refuse_variable(name: str) -> str:
    if name in _VARIABLES:
        raise ValueError(f"{name} is not allowed: {_VARIABLES[name]}")
    return name


not_reserved_argument = AfterValidator(_refuse_argument)
not_reserved_variable = AfterValidator(_refuse_variable)
