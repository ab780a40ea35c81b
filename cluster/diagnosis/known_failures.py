"""Known failures of the engine: the sign in its log, the cause, and the fix.

The sources are vLLM's issues and recorded failures.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """One known failure. `sign` is a regular expression, searched in the exception first, then in its
    traceback."""

    sign: str
    cause: str
    cure: str


#: Stands for the exception of a rank that could not write one.
SILENT = "its process exited without an error message"

_DEATHS = (
    Known(SILENT, "a user killed it, or the kernel killed it because memory ran out",
          "run `dmesg -T | grep -i kill` on that host to see which"),
    Known(r"ActorUnavailableError|ActorDiedError|RayActorError|NodeDiedError",
          "a rank is unreachable: its process, its Ray or its host has failed",
          "run `orchestrator status` to see which; then run `up` again"),
    Known(r"node has died|has been marked dead|missed too many heartbeats",
          "Ray on that host exited, or the host is unreachable; its ranks have failed too",
          "run `orchestrator status` to see its state; then run `up` again"),
    Known(r"[Oo]ut of memory: Killed process|running low on memory|memory pressure",
          "the host has too little memory, so a rank was killed",
          "end other programs on that host, or give its container more memory"),
    Known(r"Segfault encountered|SIGSEGV|Segmentation fault|SIGBUS|Bus error|Fatal Python error|terminate called",
          "native code of that rank crashed: the cause is a wrong library, a full /dev/shm, or broken hardware",
          "compare the hosts with `orchestrator check`, and read `dmesg -T` on that host"),
    Known(r"Resource temporarily unavailable|can't start new thread|pthread_create failed",
          "the process has reached a limit of threads or memory",
          "raise `ulimit -u`, `ulimit -v` and the pids limit of the container on that host"),
    Known(r"DefaultCPUAllocator: can't allocate memory|^MemoryError|std::bad_alloc|Cannot allocate memory",
          "the host has too little memory, or a limit on locked memory is too low",
          "check `free -m`, and `ulimit -v` and `-l` of the non-interactive shell on that host"),
)  # fmt: skip

_MODEL = (
    Known(r"Weight files referenced in index but missing|No such file or directory: '[^']*\.safetensors'",
          "the model on that host is not complete", "copy the model to that host again"),
    Known(r"SafetensorError|MetadataIncompleteBuffer|HeaderTooLarge|InvalidHeader",
          "a shard of the model is damaged", "copy the model to that host again"),
    Known(r"Repo id must |is not a valid model identifier|is not a local folder|Cannot find the requested files"
          r"|does not appear to have a file named|LocalEntryNotFoundError|couldn't connect to 'https://huggingface",
          "the model or its tokenizer is missing on the head, or incomplete",
          "correct `model: id:` and `serve: arguments:`, or copy the whole model to every host"),
    Known(r"It looks like the config file at .* is not a valid JSON file|JSONDecodeError",
          "a configuration file of the model is damaged", "copy the model to that host again"),
    Known(r"Model architectures .* are not supported|has no vLLM implementation|model type `?[\w-]+`? but",
          "this vLLM or its transformers does not know the model",
          "install another version of vLLM and transformers, the same on every host"),
    Known(r"'PPMissingLayer' object has no attribute 'weight'",
          "this model cannot be split into pipeline stages: its first and last stage share one tensor of "
          "embeddings",
          "set `serve: pipeline_parallel_size: 1`; `orchestrator plan` shows which layouts the model allows"),
    Known(r"must be divisible by tensor parallel size|is not divisible by|not a multiple of .*tensor",
          "the model's heads or experts cannot be split over so many GPUs",
          "set a `serve: tensor_parallel_size:` that divides them"),
    Known(r"(?:No module named|not found in your environment:).*\bdecord",
          "ERNIE's processor needs decord, which is missing in the venv",
          "install decord in the venv of every host"),
    Known(r"contains custom code which must be executed|requires? you to execute .*code|trust_remote_code=True",
          "the model has its own code, and vLLM has no permission to run it",
          "add --trust-remote-code to `serve: arguments:`"),
    Known(r"transformers_modules|KeyError: 'rope_theta'|No module named|cannot import name"
          r"|packages that were not found in your environment",
          "the engine cannot load Python code that it needs: the model's own code, or a package of the venv",
          "install the missing package in the venv of every host, or pin a matching `model: revision:`"),
)  # fmt: skip

_ARGUMENTS = (
    Known(r"max_model_len .* is greater than", "--max-model-len is larger than the model allows",
          "set a smaller --max-model-len"),
    Known(r"Unknown quantization method|invalid choice: .*quantization",
          "this vLLM does not have this quantization",
          "correct --quantization in `serve: arguments:`"),
    Known(r"Cannot find the config file for|does not match the quantization method specified",
          "the checkpoint was not made for this quantization",
          "remove --quantization, or use a checkpoint with this quantization"),
    Known(r"quantization .*(?:not supported|is currently not supported)|is not supported for quantization"
          r"|not supported by the current GPU|Minimum capability",
          "these GPUs do not support this quantization", "use another --quantization, or none"),
    Known(r"Bfloat16 is only supported|dtype .* is not supported|does not support bfloat16",
          "these GPUs cannot compute with this dtype", "use another --dtype in `serve: arguments:`"),
    Known(r"unrecognized arguments|invalid choice|expected one argument|invalid \w+ value|argument --",
          "this vLLM does not know an argument", "correct `serve: arguments:`"),
    Known(r"World size \(\d+\) is larger than", "the layout needs more GPUs than the host has",
          "declare every host in the inventory, or use smaller parallel sizes"),
    Known(r"Address already in use|EADDRINUSE", "another process listens on the port",
          "end that process, or choose another `serve: port:`"),
)  # fmt: skip

_GPUS = (
    Known(r"Free memory on device .* is less than desired", "another process holds memory of a GPU",
          "end the process that uses the GPU (nvidia-smi shows it), or lower --gpu-memory-utilization"),
    Known(r"CUDA out of memory|OutOfMemoryError", "the model does not fit into the memory of the GPUs",
          "use more GPUs, a shorter --max-model-len, or a quantized model"),
    Known(r"No available memory for the cache blocks|can be stored in KV cache|than the available KV cache memory",
          "no GPU memory is left for the KV cache",
          "use a shorter --max-model-len, or a higher --gpu-memory-utilization"),
    Known(r"system not yet initialized|CUDA error 802|error 802", "the NVSwitch fabric manager does not run",
          "start nvidia-fabricmanager of the driver's version on that host"),
    Known(r"driver version is insufficient|no kernel image is available|CUDA driver version",
          "this build of torch or vLLM does not match the driver or the GPU",
          "install the driver that it needs, or another build; `orchestrator check` tests it on every GPU"),
    Known(r"uncorrectable ECC|fallen off the bus|CUDA error: (?:unspecified|an illegal|device-side)|Xid",
          "a GPU failed, or a CUDA kernel crashed on it",
          "run `dmesg -T | grep -i xid` on that host; reset the GPU, or replace it"),
    Known(r"\[Errno 2\].*'ninja'", "FlashInfer compiles at the start and did not find ninja",
          "install ninja in the venv of every host"),
    Known(r"Could not find nvcc|nvcc: not found|CUDA_HOME|Ninja build failed|Error building extension",
          "a CUDA kernel could not be compiled at the start",
          "install the CUDA toolkit and a compiler on that host, or turn off the feature that compiles it"),
)  # fmt: skip

_BETWEEN_HOSTS = (
    Known(r"Unable to find address for|ifa != nullptr|Unable to find interface",
          "GLOO_SOCKET_IFNAME names an interface that this host does not have",
          "correct GLOO_SOCKET_IFNAME of this host under `hosts: environment:`; write one name, not a list"),
    Known(r"connectFullMesh failed|Gloo.*127\.0\.|loopback address as fallback",
          "gloo is bound to the loopback address", "make the hostname resolve to the cluster address"),
    Known(r"Watchdog caught collective operation timeout|NCCL.*[Tt]imed? ?out|Timed out waiting .* recv",
          "the ranks timed out while they waited for each other: one loads far slower, or no data arrives",
          "run `orchestrator check --fabric`; for a slow disk, set --distributed-timeout-seconds"),
    Known(r"ibv_reg_mr|memlock", "memory could not be locked for RDMA",
          "raise the memlock limit of the non-interactive shell"),
    Known(r"ncclSystemError|ncclRemoteError|ncclInternalError|unhandled system error|NCCL error",
          "NCCL could not reach a peer or set up its network",
          "read NCCL's errors: `orchestrator logs --unit ranks`; check NCCL_SOCKET_IFNAME, NCCL_IB_HCA, "
          "firewalls"),
    Known(r"Insufficient space in /dev/shm|No space left on device|open shm in SHMManager failed",
          "shared memory or a disk is full", "make /dev/shm at least 10 GiB, and check the disks"),
    Known(r"Too many open files", "the process has reached its limit of open files",
          "raise `hard nofile` in /etc/security/limits.conf on that host"),
)  # fmt: skip

_RAY = (
    Known(r"Started a local Ray instance", "vLLM did not find the Ray of this cluster and started its own",
          "run `down`, then `up`"),
    Known(r"Waiting for creating a placement group|Cannot provide a placement group",
          "Ray cannot give vLLM the GPUs that it requests",
          "run `down`, then `up`: another task in this Ray still holds GPUs"),
    Known(r"Version mismatch: The cluster was started with", "Ray or Python differs between the hosts",
          "install the same versions in the venvs of all hosts; `orchestrator check` compares them"),
    Known(r"[Aa]uthentication token|UNAUTHENTICATED|InvalidAuthToken",
          "its token differs from the token of this Ray",
          "run `down`, then `up`: both sides then get the same token"),
    Known(r"No available node types can fulfill",
          "Ray has another address of a host than the one that vLLM requests",
          "check `cluster_address` and VLLM_HOST_IP of that host"),
    Known(r"Failed to connect to GCS|ould not connect to (?:the )?(?:GCS|Ray)|to connect to the default Ray"
          r"|GCS (?:has|server) .*(?:died|unavailable)|RpcError.*GCS",
          "Ray on the head does not answer", "read its log: `orchestrator logs --unit ray`; then run `up` again"),
    Known(r"Engine core initialization failed",
          "the engine exited without an error message: a user killed it, or the kernel did because memory ran out",
          "run `dmesg -T | grep -i kill` on that host to see which"),
)  # fmt: skip

#: The order decides: of two signs that match, the first counts.
KNOWN = (*_DEATHS, *_RAY[:2], *_MODEL, *_ARGUMENTS, *_GPUS, *_BETWEEN_HOSTS, *_RAY[2:])
