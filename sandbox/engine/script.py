"""What vLLM 0.32 says, in its order and words; `tests/recorded/vllm` has the real thing."""

import os

from . import log
from .behaviour import Behaviour
from .flags import Flags
from .nccl import RankLocation

ROUTES = {
    "/health": "GET", "/metrics": "GET", "/version": "GET", "/v1/models": "GET",
    "/v1/chat/completions": "POST", "/v1/completions": "POST",
}  # fmt: skip

_FAILURE = """\
Traceback (most recent call last):
  File "vllm/v1/engine/core.py", line 1482, in run_engine_core
    engine_core = EngineCoreProc(*args, engine_index=dp_rank, **kwargs)
  File "vllm/v1/executor/ray_executor_v2.py", line 456, in _init_executor
    ray.get(init_worker_refs)
{cause}"""
_OUT_OF_MEMORY = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.34 GiB."
    " GPU 3 has a total capacity of 79.10 GiB of which 812.00 MiB is free."
)
_NOISE = """\
Failed to kill actor rank=1
Traceback (most recent call last):
  File "ray/_private/worker.py", line 3506, in kill
    raise ActorHandleNotFoundError(
ray.exceptions.ActorHandleNotFoundError: ActorHandle objects are not valid across Ray sessions."""
_PORT_TAKEN = """\
Traceback (most recent call last):
  File "vllm/entrypoints/launchers/launcher.py", line 348, in create_server_socket
    sock.bind(addr)
OSError: [Errno 98] Address already in use"""
_END = """\
Traceback (most recent call last):
  File "vllm/entrypoints/cli/serve.py", line 156, in cmd
    uvloop.run(run_server(args))
  File "vllm/v1/engine/utils.py", line 1431, in wait_for_engine_startup
    raise RuntimeError(
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"""


def configured(flags: Flags, version: str) -> None:
    log.api_server("api_utils.py:347", f" ▄▄ ▄█ █     █     █ ▀▄▀ █  version {version}")
    log.api_server("api_utils.py:347", f"  █▄█▀ █     █     █     █  model   {flags.model}")
    log.api_server("api_utils.py:286", f"non-default args: {{'model_tag': '{flags.model}', 'port': {flags.port}}}")
    log.api_server("model.py:733", "Resolved architecture: Ernie4_5_VLMoeForConditionalGeneration")
    log.api_server("model.py:2152", "Using max model len 512")
    about = f"model='{flags.model}', tensor_parallel_size={flags.tensor_parallel_size}"
    log.engine_core("core.py:133", f"Initializing a V1 LLM engine (v{version}) with config: {about}")


def port_taken() -> None:
    log.plain(_PORT_TAKEN)


def local_ray() -> None:
    log.ray("worker.py:2029", "Started a local Ray instance. View the dashboard at http://127.0.0.1:8265")


def placing() -> None:
    text = "No current placement group found. Creating a new placement group."
    log.engine_core("ray_utils.py:607", text)


def waiting_for_placement(seconds: int, bundles: int) -> None:
    specs = ", ".join(["{'GPU': 1.0}"] * bundles)
    log.engine_core(
        "ray_utils.py:467",
        f"Waiting for creating a placement group of specs for {seconds} seconds. specs=[{specs}]. Check"
        " `ray status` and `ray list nodes` to see if you have enough resources, and make sure the IP"
        " addresses used by ray cluster are the same as VLLM_HOST_IP environment variable specified in each"
        " node if you are running on a multi-node.",
    )


def joined(places: list[RankLocation]) -> None:
    for number, place in enumerate(places):
        about = f"world_size={len(places)} rank={number} local_rank={place.gpu}"
        method = f"distributed_init_method=tcp://{places[0].address}:43589 backend=nccl"
        log.rank(number, place.pid, place.remote_ip, "parallel_state.py:1906", f"{about} {method}")


def loading(first: RankLocation, model: str) -> None:
    log.rank(0, first.pid, "", "gpu_model_runner.py:4921", f"Starting to load model {model}...")


def progress(first: RankLocation, done: int, total: int) -> None:
    percent = f"{100 * done // total:>3}% Completed | {done}/{total}"
    log.rank_output(first.pid, "", f"Loading safetensors checkpoint shards: {percent} [00:00<00:00,  9.00it/s]")


def loaded(first: RankLocation, told: Behaviour, seconds: float) -> None:
    log.rank(0, first.pid, "", "default_loader.py:501", f"Loading weights took {seconds:.2f} seconds")
    took = f"Model loading took 49.6 GiB memory and {seconds:.6f} seconds"
    log.rank(0, first.pid, "", "model_runner.py:429", took)
    log.rank(0, first.pid, "", "gpu_worker.py:773", "Available KV cache memory: 18.44 GiB")
    size = f"GPU KV cache size: {told.kv_tokens:,} tokens"
    concurrency = f"Maximum concurrency for 512 tokens per request: {told.kv_tokens / 512:.2f}x"
    log.engine_core("kv_cache_utils.py:2327", f"{size}, {concurrency}")
    log.engine_core("core.py:402", "init engine (profile, create kv cache, warmup model) took 0.59 s")


def serving(flags: Flags) -> None:
    log.api_server("entry.py:136", "Supported tasks: ['generate']")
    log.api_server("entry.py:140", f"Starting vLLM server on http://{flags.host}:{flags.port}")
    log.api_server("launcher.py:186", "Available routes are:")
    for route, method in ROUTES.items():
        log.api_server("launcher.py:195", f"Route: {route}, Methods: {method}")
    log.plain(f"INFO:     Started server process [{os.getpid()}]")
    log.plain("INFO:     Waiting for application startup.\nINFO:     Application startup complete.")


def failed(cause: str = _OUT_OF_MEMORY) -> None:
    log.engine_core("core.py:1510", "EngineCore failed to start.", "ERROR")
    log.engine_core("core.py:1510", _FAILURE.format(cause=cause), "ERROR")
    log.engine_core("ray_executor_v2.py:574", _NOISE, "ERROR")
    log.plain(_END)


def stopping() -> None:
    log.api_server("launcher.py:254", "[shutdown] API server: shutdown triggered")
    log.api_server("launcher.py:270", "[shutdown] API server: stopping engine client mode=abort timeout=0s")
    log.api_server("launcher.py:304", "[shutdown] API server: shutting down FastAPI HTTP server")
    log.plain("INFO:     Shutting down\nINFO:     Application shutdown complete.")


def died(rank: int) -> None:
    """Logs that a rank of a running engine exited. The server then stops in order."""
    text = f"RayWorkerProc rank=[{rank}] died unexpectedly, shutting down executor."
    log.engine_core("ray_executor_v2.py:522", text, "ERROR")
    log.engine_core("core.py:1512", "EngineCore encountered a fatal error.", "ERROR")
    text = "EngineCore encountered an issue. See stack trace (above) for the root cause."
    log.api_server("async_llm.py:906", f"vllm.v1.engine.exceptions.EngineDeadError: {text}", "ERROR")
    log.plain("INFO:     Shutting down\nINFO:     Application shutdown complete.")
