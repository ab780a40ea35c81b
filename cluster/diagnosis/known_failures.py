"""Known ways for an engine to die: the sign in its log, the cause, and the cure (sources: vLLM's threads, and
recorded failures)."""

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

_DEATHS = (
    Known(SILENT, "somebody killed it, or the kernel did for want of memory",
          "see who on that host: `dmesg -T | grep -i kill`"),
    Known(r"ActorUnavailableError|ActorDiedError|RayActorError|NodeDiedError",
          "a rank can no longer be reached: its process, its Ray or its host is gone",
          "see which: `orchestrator status`; then `up` again"),
    Known(r"node has died|has been marked dead|missed too many heartbeats",
          "Ray on that host has died, or the host was lost, and its ranks with it",
          "see what became of it: `orchestrator status`; then `up` again"),
    Known(r"[Oo]ut of memory: Killed process|running low on memory|memory pressure",
          "the host has too little memory, so a rank was killed",
          "end what else runs on that host, or give its container more memory"),
    Known(r"Segfault encountered|SIGSEGV|Segmentation fault|SIGBUS|Bus error|Fatal Python error|terminate called",
          "native code of that rank crashed: a library that does not fit, a full /dev/shm, or broken hardware",
          "compare the hosts with `orchestrator check`, and see `dmesg -T` on that host"),
    Known(r"Resource temporarily unavailable|can't start new thread|pthread_create failed",
          "the process may have no more threads or memory",
          "raise `ulimit -u`, `ulimit -v` and the pids limit of the container on that host"),
    Known(r"DefaultCPUAllocator: can't allocate memory|^MemoryError|std::bad_alloc|Cannot allocate memory",
          "the host has too little memory, or may not lock so much of it",
          "see `free -m`, and `ulimit -v` and `-l` of the non-interactive shell on that host"),
)  # fmt: skip

_MODEL = (
    Known(r"Weight files referenced in index but missing|No such file or directory: '[^']*\.safetensors'",
          "the model on that host is not complete", "copy the model to that host again"),
    Known(r"SafetensorError|MetadataIncompleteBuffer|HeaderTooLarge|InvalidHeader",
          "a shard of the model is damaged", "copy the model to that host again"),
    Known(r"Repo id must |is not a valid model identifier|is not a local folder|Cannot find the requested files"
          r"|does not appear to have a file named|LocalEntryNotFoundError|couldn't connect to 'https://huggingface",
          "the model or its tokenizer is not on the head, or not all of it",
          "correct `model: id:` and `serve: arguments:`, or copy the whole model to every host"),
    Known(r"It looks like the config file at .* is not a valid JSON file|JSONDecodeError",
          "a configuration file of the model is damaged", "copy the model to that host again"),
    Known(r"Model architectures .* are not supported|has no vLLM implementation|model type `?[\w-]+`? but",
          "this vLLM or its transformers does not know the model",
          "another version of vLLM and transformers, the same on every host"),
    Known(r"'PPMissingLayer' object has no attribute 'weight'",
          "this model cannot be cut into a pipeline: its first and last stage share one tensor of embeddings",
          "`serve: pipeline_parallel_size: 1`; `orchestrator plan` tells which layouts a model can be cut into"),
    Known(r"must be divisible by tensor parallel size|is not divisible by|not a multiple of .*tensor",
          "the model's heads or experts cannot be split over so many GPUs",
          "another `serve: tensor_parallel_size:`, one that divides them"),
    Known(r"(?:No module named|not found in your environment:).*\bdecord",
          "ERNIE's processor needs decord, which the venv lacks",
          "install decord in the venv of every host"),
    Known(r"contains custom code which must be executed|requires? you to execute .*code|trust_remote_code=True",
          "the model brings code of its own, which vLLM was not allowed to run",
          "add --trust-remote-code to `serve: arguments:`"),
    Known(r"transformers_modules|KeyError: 'rope_theta'|No module named|cannot import name"
          r"|packages that were not found in your environment",
          "Python code that the engine needs cannot be loaded: the model's own, or a package of the venv",
          "install what is missing in the venv of every host, or pin a `model: revision:` that fits"),
)  # fmt: skip

_ARGUMENTS = (
    Known(r"max_model_len .* is greater than", "--max-model-len is more than the model was made for", "lower it"),
    Known(r"Unknown quantization method|invalid choice: .*quantization", "this vLLM has no such quantization",
          "correct --quantization in `serve: arguments:`"),
    Known(r"Cannot find the config file for|does not match the quantization method specified",
          "the checkpoint was not made for this quantization",
          "leave --quantization out, or take a checkpoint that was quantized so"),
    Known(r"quantization .*(?:not supported|is currently not supported)|is not supported for quantization"
          r"|not supported by the current GPU|Minimum capability",
          "these GPUs cannot do this quantization", "another --quantization, or none"),
    Known(r"Bfloat16 is only supported|dtype .* is not supported|does not support bfloat16",
          "these GPUs cannot compute with this dtype", "another --dtype in `serve: arguments:`"),
    Known(r"unrecognized arguments|invalid choice|expected one argument|invalid \w+ value|argument --",
          "an argument that this vLLM does not know", "correct `serve: arguments:`"),
    Known(r"World size \(\d+\) is larger than", "the layout needs more GPUs than the host has",
          "declare every host in the inventory, or make the parallel sizes smaller"),
    Known(r"Address already in use|EADDRINUSE", "another process listens on the port",
          "free it, or choose another `serve: port:`"),
)  # fmt: skip

_GPUS = (
    Known(r"Free memory on device .* is less than desired", "something else holds memory of a GPU",
          "free the GPU (nvidia-smi shows who), or lower --gpu-memory-utilization"),
    Known(r"CUDA out of memory|OutOfMemoryError", "the model does not fit into the memory of the GPUs",
          "more GPUs, a shorter --max-model-len, or a quantized model"),
    Known(r"No available memory for the cache blocks|can be stored in KV cache|than the available KV cache memory",
          "nothing is left for the KV cache", "a shorter --max-model-len, or a higher --gpu-memory-utilization"),
    Known(r"system not yet initialized|CUDA error 802|error 802", "the NVSwitch fabric manager does not run",
          "start nvidia-fabricmanager of the driver's version on that host"),
    Known(r"driver version is insufficient|no kernel image is available|CUDA driver version",
          "this build of torch or vLLM does not fit the driver or the GPU",
          "the driver that it needs, or another build; `orchestrator check` tries it on every GPU"),
    Known(r"uncorrectable ECC|fallen off the bus|CUDA error: (?:unspecified|an illegal|device-side)|Xid",
          "a GPU failed, or a kernel crashed on it",
          "see `dmesg -T | grep -i xid` on that host; reset the GPU, or replace it"),
    Known(r"\[Errno 2\].*'ninja'", "FlashInfer compiles at start and found no ninja",
          "install ninja in the venv of every host"),
    Known(r"Could not find nvcc|nvcc: not found|CUDA_HOME|Ninja build failed|Error building extension",
          "a kernel that is compiled at start could not be",
          "install the CUDA toolkit and a compiler on that host, or turn off what compiles it"),
)  # fmt: skip

_BETWEEN_HOSTS = (
    Known(r"Unable to find address for|ifa != nullptr|Unable to find interface",
          "gloo was given an interface that this host does not have",
          "correct GLOO_SOCKET_IFNAME of this host under `hosts: environment:`; one name, no list"),
    Known(r"connectFullMesh failed|Gloo.*127\.0\.|loopback address as fallback",
          "gloo is bound to the loopback address", "make the hostname resolve to the cluster address"),
    Known(r"Watchdog caught collective operation timeout|NCCL.*[Tt]imed? ?out|Timed out waiting .* recv",
          "the ranks waited for each other until time was out: one loads far slower, or no data arrives",
          "`orchestrator check --fabric`; for a slow disk --distributed-timeout-seconds"),
    Known(r"ibv_reg_mr|memlock", "memory could not be locked for RDMA",
          "raise the memlock limit of the non-interactive shell"),
    Known(r"ncclSystemError|ncclRemoteError|ncclInternalError|unhandled system error|NCCL error",
          "NCCL could not reach a peer or set up its network",
          "see NCCL's words: `orchestrator logs --unit ranks`; NCCL_SOCKET_IFNAME, NCCL_IB_HCA, firewalls"),
    Known(r"Insufficient space in /dev/shm|No space left on device|open shm in SHMManager failed",
          "shared memory or a disk is full", "make /dev/shm at least 10 GiB, and look at the disks"),
    Known(r"Too many open files", "the process may not have so many files open",
          "raise `hard nofile` in /etc/security/limits.conf on that host"),
)  # fmt: skip

_RAY = (
    Known(r"Started a local Ray instance", "vLLM did not find our Ray and started one of its own",
          "run `down`, then `up`"),
    Known(r"Waiting for creating a placement group|Cannot provide a placement group",
          "Ray cannot give vLLM the GPUs that it asks for",
          "run `down`, then `up`: something in this Ray still holds GPUs"),
    Known(r"Version mismatch: The cluster was started with", "Ray or Python differs between the hosts",
          "make the venvs of all hosts equal; `orchestrator check` compares them"),
    Known(r"[Aa]uthentication token|UNAUTHENTICATED|InvalidAuthToken", "its token is not that of this Ray",
          "run `down`, then `up`: both sides get the same one"),
    Known(r"No available node types can fulfill", "Ray's address of a host is not the one that vLLM asks for",
          "see `cluster_address` and VLLM_HOST_IP of that host"),
    Known(r"Failed to connect to GCS|ould not connect to (?:the )?(?:GCS|Ray)|to connect to the default Ray"
          r"|GCS (?:has|server) .*(?:died|unavailable)|RpcError.*GCS",
          "Ray on the head does not answer", "see why: `orchestrator logs --unit ray`; then `up` again"),
    Known(r"Engine core initialization failed",
          "the process of the engine died without a word: somebody killed it, or the kernel for want of memory",
          "see who on that host: `dmesg -T | grep -i kill`"),
)  # fmt: skip

#: In the order in which they count: an exception that fits two is the first.
KNOWN = (*_DEATHS, *_RAY[:2], *_MODEL, *_ARGUMENTS, *_GPUS, *_BETWEEN_HOSTS, *_RAY[2:])
