"""What engines really died of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.diagnosis.log_lines import Process
from cluster.diagnosis.root_cause import RootCause, root_cause
from tests.cluster.recorded import recorded

RANK = "RayWorkerProc on 10.0.0.3"


def who(found: RootCause) -> str:
    return found.process.kind + (f" on {found.process.address}" if found.process.address else "")


CRASHES = [
    (
        "crash-corrupt-shard", RANK,
        "safetensors._safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, "
        "file not fully covered",
        "a shard of the model is damaged",
    ),
    (
        "crash-missing-shard", RANK,
        "FileNotFoundError: Weight files referenced in index but missing: "
        "{'/models/ernie-4.5-vl-tiny/model-00003-of-00005.safetensors'}",
        "the model on that host is not complete",
    ),
    (
        "crash-kv-too-small", "EngineCore",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when "
        "initializing the engine (this flag also controls CPU memory reservation on the CPU backend, despite its "
        "name). See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details.",
        "no GPU memory is left for the KV cache",
    ),
    (
        "crash-no-tokenizer", "",
        "huggingface_hub.errors.HFValidationError: Repo id must use alphanumeric chars, '-', '_' or '.'. The name "
        "cannot start or end with '-' or '.' and the maximum length is 96: '/nope'.",
        "the model or its tokenizer is missing on the head, or incomplete",
    ),
    (
        "crash-port-in-use", "", "OSError: [Errno 98] Address already in use",
        "another process listens on the port",
    ),
    (
        "rank-killed", RANK, "its process exited without an error message",
        "a user killed it, or the kernel killed it because memory ran out",
    ),
    (
        "local-ray", "", "Started a local Ray instance. View the dashboard at http://127.0.0.1:8265",
        "vLLM did not find the Ray of this cluster and started its own",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said_by", "what", "cause"), CRASHES, ids=[one[0] for one in CRASHES])
def test_real_crashes(name: str, said_by: str, what: str, cause: str) -> None:
    found = root_cause(recorded(f"vllm/{name}.log"))
    assert found is not None
    assert (who(found), found.what, found.cause) == (said_by, what, cause)
    assert found.cure


@pytest.mark.parametrize(
    ("name", "said_by", "what", "cause"),
    [
        (
            "crash-max-model-len",
            "",
            "User-specified max_model_len (100000) is greater than",
            "larger than the model",
        ),
        (
            "placement-wait",
            "EngineCore",
            "Waiting for creating a placement group",
            "Ray cannot give vLLM the GPUs",
        ),
    ],
)
def test_real_crashes_that_talk_much(name: str, said_by: str, what: str, cause: str) -> None:
    found = root_cause(recorded(f"vllm/{name}.log"))
    assert found is not None
    assert who(found) == said_by
    assert found.what.startswith(what)
    assert cause in found.cause
    assert found.cure


@pytest.mark.parametrize(
    "name",
    [
        "ready-tp2-ray",
        "ready-tp16-ray",
        "ready-tp2-mp",
        "sigterm-while-loading",
        "stopped-tp2-ray",
        "gpu-28b-tp1",
        "gpu-28b-tp2-ray",
        "gpu-424b-8L-tp2-ray",
        "gpu-28b-images-tp1",
    ],
)
def test_nothing_died_in_a_healthy_log(name: str) -> None:
    assert root_cause(recorded(f"vllm/{name}.log")) is None


def test_the_traceback_of_the_rank_comes_along() -> None:
    found = root_cause(recorded("vllm/crash-missing-shard.log"))
    assert found is not None
    assert found.traceback[0].startswith("Traceback")
    assert found.traceback[-1] == found.what
    assert not any("pid=" in line and "ERROR" in line for line in found.traceback)


def rank(number: int, *lines: str) -> list[str]:
    return [f"\x1b[36m(RayWorkerProc pid={number}, ip=10.0.0.9)\x1b[0m {line}" for line in lines]


TRACEBACK = ("Traceback (most recent call last):", '  File "a.py", line 1, in f')


def test_interleaved_ranks_are_told_apart() -> None:
    one = rank(1, *TRACEBACK, "ValueError: of one")
    two = rank(2, *TRACEBACK, "    g()", "KeyError: 'of two'")
    log = [line for pair in zip(one, two, strict=False) for line in pair] + two[3:]
    found = root_cause("\n".join(log))
    assert found is not None
    assert (who(found), found.what) == ("RayWorkerProc on 10.0.0.9", "ValueError: of one")


def test_a_line_with_two_prefixes() -> None:
    logged = (f"(Worker_TP1 pid=7) ERROR 11-22 18:00:00 [w.py:1] {line}" for line in (*TRACEBACK, "OSError: x"))
    found = root_cause("\n".join(rank(7, *logged)))
    process = Process("RayWorkerProc", 7, "10.0.0.9")
    assert found == RootCause(process, "OSError: x", (*TRACEBACK, "OSError: x"))


def test_the_engine_goes_before_the_server() -> None:
    server = [f"(APIServer pid=1) {line}" for line in (*TRACEBACK, "ImportError: a plugin that nobody needs")]
    engine = [f"(EngineCore pid=2) {line}" for line in (*TRACEBACK, "torch.OutOfMemoryError: CUDA out of memory.")]
    found = root_cause("\n".join(server + engine))
    assert found is not None
    assert (who(found), found.cause) == ("EngineCore", "the model does not fit into the memory of the GPUs")


@pytest.mark.parametrize(
    "noise",
    [
        "RuntimeError: Engine core initialization failed. See root cause above.",
        "vllm.v1.engine.exceptions.EngineDeadError: x",
    ],
)
def test_the_tear_down_is_no_cause(noise: str) -> None:
    assert root_cause("\n".join((*TRACEBACK, noise, *TRACEBACK, "KeyError: 'x'"))) == RootCause(
        Process(), "KeyError: 'x'", (*TRACEBACK, "KeyError: 'x'")
    )


@pytest.mark.parametrize(
    ("log", "what"),
    [
        ("vllm serve: error: unrecognized arguments: --nope", "vllm serve: error: unrecognized arguments: --nope"),
        ("noise\nValueError: bare", "ValueError: bare"),
        (
            "(EngineCore pid=3) ERROR 11-22 18:00:00 [core.py:1] EngineCore failed to start.",
            "EngineCore failed to start.",
        ),
        ("\n".join(TRACEBACK), None),
        ("", None),
        ("WARNING: OSError: [Errno 24] Too many open files", None),
    ],
)
def test_without_a_whole_traceback(log: str, what: str | None) -> None:
    found = root_cause(log)
    assert (found.what if found else None) == what


SPAWNED = """RuntimeError:
        An attempt has been made to start a new process before the
        current process has finished its bootstrapping phase.

        This probably means that you are not using fork to start your
        child processes and you have forgotten to use the proper idiom
        in the main module:"""


@pytest.mark.parametrize("first", ["RuntimeError:", "RuntimeError: ", "RuntimeError: \n"])
def test_a_message_that_begins_on_a_later_line(first: str) -> None:
    """Multiprocessing and some kernels write it so."""
    said = SPAWNED.replace("RuntimeError:", first, 1).splitlines()
    found = root_cause("\n".join(f"(APIServer pid=5) {line}" for line in (*TRACEBACK, *said)))
    assert found is not None
    assert found.process.kind == "APIServer"
    assert found.what == (
        "RuntimeError: An attempt has been made to start a new process before the "
        "current process has finished its bootstrapping phase."
    )


@pytest.mark.parametrize("after", [(), ("", "  "), TRACEBACK, ("", *TRACEBACK), ("During handling of x",)])
def test_a_message_that_never_begins(after: tuple[str, ...]) -> None:
    found = root_cause("\n".join((*TRACEBACK, "RuntimeError:", *after)))
    assert found is not None
    assert found.what == "RuntimeError:"


PIECES = st.sampled_from(
    [
        *TRACEBACK,
        "ValueError: x",
        "ValueError:",
        "(EngineCore pid=1) ",
        "(RayWorkerProc pid=1, ip=::1) ",
        "\x1b[36m",
        "ERROR 11-22 18:00:00 ",
        "ray.exceptions.RayTaskError(E): ray::A.b() (pid=1, ip=10.0.0.3)",
        "X: 1 validation error for Y",
        "died unexpectedly, shutting down executor",
    ]
)


@settings(max_examples=100)
@given(st.lists(st.lists(PIECES | st.text(max_size=5), max_size=4).map("".join), max_size=12))
def test_arbitrary_logs_never_fail(lines: list[str]) -> None:
    found = root_cause("\n".join(lines))
    assert found is None or found.what == found.what.strip("\n")
