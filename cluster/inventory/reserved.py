"""The arguments of `vllm serve` that the orchestrator gives itself, and the keys to use instead."""

from __future__ import annotations

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


def _free(argument: str) -> str:
    # vLLM reads --tensor_parallel_size as --tensor-parallel-size; what follows "=" may be a secret.
    name = argument.partition("=")[0].replace("_", "-") if argument.startswith("-") else ""
    for names, instead in _RESERVED:
        if name in names:
            raise ValueError(f"{name} is not for here: {instead}")
    return argument


free = AfterValidator(_free)
