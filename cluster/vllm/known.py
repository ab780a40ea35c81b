"""Known ways for an engine to die: the sign in its log, the cause, and the cure (sources: vLLM's threads)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """`sign` is a regular expression, searched in the exception first, then in its traceback."""

    sign: str
    cause: str
    cure: str


#: What is said of a rank that could say nothing itself.
SILENT = "its process has died without a word"

KNOWN = (
    Known(
        SILENT,
        "somebody killed it, or the kernel did for want of memory",
        "see who on that host: `dmesg -T | grep -i kill`",
    ),
    Known(
        r"[Oo]ut of memory: Killed process|running low on memory|memory pressure",
        "the host has too little memory, so a rank was killed",
        "end what else runs on that host, or give its container more memory",
    ),
    Known(
        r"Segfault encountered|SIGSEGV|Segmentation fault|SIGBUS|Bus error|Fatal Python error|terminate called",
        "native code of that rank crashed: a library that does not fit, or broken hardware",
        "compare the versions of all hosts with `orchestrator check`, and see `dmesg -T` on that host",
    ),
    Known(
        r"Weight files referenced in index but missing",
        "the model on that host is not complete",
        "copy the model to that host again",
    ),
    Known(
        r"Repo id must |is not a valid model identifier|is not a local folder|Cannot find the requested files",
        "the model or its tokenizer is not on the head, or not all of it",
        "correct `model: id:` and `serve: arguments:`, or copy the whole model to every host",
    ),
    Known(
        r"No module named '?decord",
        "ERNIE's processor needs decord, which the venv lacks",
        "install decord in the venv of every host",
    ),
    Known(
        r"\[Errno 2\].*'ninja'",
        "FlashInfer compiles at start and found no ninja",
        "install ninja in the venv of every host",
    ),
    Known(
        r"Started a local Ray instance",
        "vLLM did not find our Ray and started one of its own",
        "run `down`, then `up`",
    ),
    Known(
        r"Waiting for creating a placement group|Cannot provide a placement group",
        "Ray cannot give vLLM the GPUs that it asks for",
        "run `down`, then `up`: something in this Ray still holds GPUs",
    ),
    Known(
        r"World size \(\d+\) is larger than",
        "the layout needs more GPUs than the host has",
        "declare every host in the inventory, or make the parallel sizes smaller",
    ),
    Known(
        r"Free memory on device .* is less than desired",
        "something else holds memory of a GPU",
        "free the GPU (nvidia-smi shows who), or lower --gpu-memory-utilization",
    ),
    Known(
        r"CUDA out of memory|OutOfMemoryError",
        "the model does not fit into the memory of the GPUs",
        "more GPUs, a shorter --max-model-len, or a quantized model",
    ),
    Known(
        r"No available memory for the cache blocks|can be stored in KV cache|than the available KV cache memory",
        "nothing is left for the KV cache",
        "a shorter --max-model-len, or a higher --gpu-memory-utilization",
    ),
    Known(
        r"system not yet initialized|CUDA error 802",
        "the NVSwitch fabric manager does not run",
        "start nvidia-fabricmanager of the driver's version on that host",
    ),
    Known(
        r"connectFullMesh failed|Gloo.*127\.0\.",
        "gloo bound to the loopback address",
        "make the hostname resolve to the cluster address",
    ),
    Known(
        r"ibv_reg_mr|Cannot allocate memory",
        "memory could not be locked for RDMA",
        "raise the memlock limit of the non-interactive shell",
    ),
    Known(
        r"Insufficient space in /dev/shm|No space left on device",
        "shared memory or a disk is full",
        "make /dev/shm at least 10 GiB, and look at the disks",
    ),
    Known(
        r"Address already in use|EADDRINUSE",
        "another process listens on the port",
        "free it, or choose another `serve: port:`",
    ),
    Known(r"max_model_len .* is greater than", "--max-model-len is more than the model was made for", "lower it"),
    Known(
        r"unrecognized arguments|invalid choice|expected one argument",
        "an argument that this vLLM does not know",
        "correct `serve: arguments:`",
    ),
    Known(
        r"SafetensorError|MetadataIncompleteBuffer|HeaderTooLarge|InvalidHeader",
        "a shard of the model is damaged",
        "copy the model to that host again",
    ),
)
