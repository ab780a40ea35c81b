"""Variables of the environment that the orchestrator gives units itself, and the keys to use instead."""

from __future__ import annotations

from pydantic import AfterValidator

_RESERVED = {
    # One for all hosts is a placement group that waits for half an hour (vllm#13388).
    "VLLM_HOST_IP": "it is the `cluster_address` of each host",
    "CUDA_VISIBLE_DEVICES": "use gpu_ids",
    "VLLM_API_KEY": "use serve.api_key",
    "RAY_ADDRESS": "it is that of the head",
    "RAY_AUTH_MODE": "every cluster has a token of its own",
    "RAY_AUTH_TOKEN_PATH": "every cluster has a token of its own",
}


def _free(name: str) -> str:
    if name in _RESERVED:
        raise ValueError(f"{name} is not for here: {_RESERVED[name]}")
    return name


free = AfterValidator(_free)
