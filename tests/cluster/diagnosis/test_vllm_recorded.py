"""What is told of engines that really failed: which rank, on which host, of what, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.diagnosis.collect import Collected
from cluster.diagnosis.engine_failure import engine_failed, is_dead
from cluster.diagnosis.rank_logs import RankLogs, read
from cluster.errors import NotReady
from cluster.launch.unit import UnitStatus
from cluster.values import Presence
from tests.cluster.builders import inventory

FAILURES = Path(__file__).parents[2] / "recorded" / "failures"
ENDED = UnitStatus(Presence.DEAD, 1, 0, "", 0, 0)

#: Name, host, how the cause begins, what it means, and what the cure speaks of.
TOLD = [
    ("bad-argument", "gpu-a", "vllm: error: unrecognized arguments: --no-such-flag",
     "this vLLM does not know an argument", "serve: arguments"),
    ("bad-choice", "gpu-a", "vllm serve: error: argument --dtype: invalid choice: 'int7'",
     "this vLLM does not know an argument", "serve: arguments"),
    ("quantization-awq", "gpu-a", "Cannot find the config file for awq",
     "the checkpoint was not made for this quantization", "--quantization"),
    ("quantization-unknown", "gpu-a", "Unknown quantization method: fp9.",
     "this vLLM does not have this quantization", "--quantization"),
    ("remote-code-decord", "gpu-a", "ImportError: This modeling file requires the following packages",
     "ERNIE's processor needs decord, which is missing in the venv", "install decord"),
    ("remote-code-broken", "gpu-a", "KeyError: 'rope_theta'",
     "the engine cannot load Python code that it needs", "revision"),
    ("no-trust", "gpu-a", "The repository /models/ernie-4.5-vl-tiny contains custom code",
     "the model has its own code, and vLLM has no permission to run it", "--trust-remote-code"),
    ("config-damaged", "gpu-a", "json.decoder.JSONDecodeError: Expecting value",
     "a configuration file of the model is damaged", "copy the model"),
    ("architecture-unknown", "gpu-a", "Model architectures ['FancyForCausalLM'] are not supported for now.",
     "this vLLM or its transformers does not know the model", "another version"),
    ("heads-indivisible", "gpu-a", "Total number of attention heads (16) must be divisible",
     "the model's heads or experts cannot be split over so many GPUs", "tensor_parallel_size"),
    ("model-missing", "gpu-a", "huggingface_hub.errors.HFValidationError: Repo id must be in the form",
     "the model or its tokenizer is missing on the head, or incomplete", "model: id:"),
    ("kv-too-small", "gpu-a", "the engine: ValueError: No available memory for the cache blocks.",
     "no GPU memory is left for the KV cache", "--max-model-len"),
    ("missing-shard", "gpu-b", "rank 1: FileNotFoundError: Weight files referenced in index but missing:",
     "the model on that host is not complete", "copy the model"),
    ("rank-killed-early", "gpu-b", "rank 1: its process exited without an error message",
     "a user killed it, or the kernel killed it because memory ran out", "dmesg"),
    ("rank-killed-after-loading", "gpu-b", "rank 1: its process exited without an error message",
     "a user killed it, or the kernel killed it because memory ran out", "dmesg"),
    ("gpu-rank-killed", "gpu-b", "rank 1: its process exited without an error message",
     "a user killed it, or the kernel killed it because memory ran out", "dmesg"),
    ("rank-oom", "gpu-b", "rank 1: out of memory: Killed process 3949 (ray::RayWorkerP)",
     "the host has too little memory, so a rank was killed", "memory"),
    ("rank-no-memory", "gpu-b", "rank 1: RuntimeError: Resource temporarily unavailable",
     "the process has reached a limit of threads or memory", "ulimit"),
    ("rank-segfault", "gpu-b", "rank 1: !!!!!!! Segfault encountered !!!!!!!",
     "native code of that rank crashed", "dmesg"),
    ("gloo-interface", "gpu-b", "rank 1: RuntimeError: [enforce fail at",
     "GLOO_SOCKET_IFNAME names an interface that this host does not have", "GLOO_SOCKET_IFNAME"),
    ("raylet-killed", "gpu-a", "the engine: ray.exceptions.ActorUnavailableError",
     "a rank is unreachable", "orchestrator status"),
    ("engine-core-killed", "gpu-a", "RuntimeError: Engine core initialization failed.",
     "the engine exited without an error message", "dmesg"),
]  # fmt: skip


def log(name: str) -> str:
    return (FAILURES / name / "vllm.log").read_text()


def elsewhere(name: str) -> dict[str, RankLogs]:
    """Returns what would be collected on each host."""
    found = {}
    for host in ("gpu-a", "gpu-b"):
        files = {path.name: path.read_text() for path in (FAILURES / name / host).glob("*")}
        kernel = files.pop("kernel.log", "")
        texts = {f"ray/session_latest/logs/{file}": text for file, text in files.items()}
        found[host] = read(Collected(host, {**texts, "kernel.log": kernel}))
    return found


def told(name: str, words: dict[str, RankLogs] | None = None) -> NotReady:
    one = inventory()
    addresses = ("10.0.0.2", "10.0.0.3")
    hosts = tuple(
        spec.model_copy(update={"cluster_address": address})
        for spec, address in zip(one.hosts, addresses, strict=True)
    )
    return engine_failed(one.model_copy(update={"hosts": hosts}), ENDED, log(name), words)


@pytest.mark.parametrize(("name", "host", "begins", "meaning", "cure"), TOLD, ids=[one[0] for one in TOLD])
def test_a_real_failure(name: str, host: str, begins: str, meaning: str, cure: str) -> None:
    error = told(name, elsewhere(name))
    assert error.host == host
    first, last = error.cause.splitlines()
    assert first.startswith(begins)
    assert last.startswith(meaning)
    assert cure in error.cure
    assert len(first) < 320
    assert len(error.last.splitlines()) <= 4


def test_every_recorded_failure_is_in_the_table() -> None:
    assert {path.name for path in FAILURES.iterdir() if path.is_dir()} == {one[0] for one in TOLD}


@pytest.mark.parametrize(
    "name", [one[0] for one in TOLD if one[1] == "gpu-b" or one[0] in ("kv-too-small", "engine-core-killed")]
)
def test_it_is_seen_to_be_dead_while_its_process_still_lives(name: str) -> None:
    """A process that refuses an argument exits before it writes a fatal line."""
    alive = UnitStatus(Presence.ALIVE, None, 0, "", 0, 0)
    assert is_dead(alive, log(name))


@pytest.mark.parametrize("name", ["rank-oom", "rank-segfault"])
def test_without_what_its_host_says_the_rank_is_still_named(name: str) -> None:
    """A host that does not answer in time is done without."""
    error = told(name)
    assert error.host == "gpu-b"
    assert error.cause.splitlines()[0] == "rank 1: its process exited without an error message"


def test_ranks_of_an_earlier_launch_are_none_of_this_one() -> None:
    texts = {
        "ray/session_latest/logs/worker-a-01000000-7.out": ":job_id:01000000\n:actor_name:RayWorkerProc\nold\n",
        "ray/session_latest/logs/worker-b-ffffffff-8.out": ":job_id:0a000000\n:actor_name:RayWorkerProc\n"
        "(Worker pid=8) INFO 11-26 17:15:46 [p.py:1] world_size=16 rank=9 local_rank=1 backend=nccl\n",
        "ray/session_latest/logs/worker-c-0a000000-9.out": ":job_id:0a000000\n:task_name:touch\n",
    }
    (only,) = read(Collected("gpu-b", texts)).ranks
    assert (only.pid, only.rank) == (8, 9)
