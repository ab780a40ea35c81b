"""What a person and a program see of a plan."""

from __future__ import annotations

import json
from typing import Any

from cluster.inventory import Inventory
from cluster.plan import plan
from orchestrator.render.json_text import to_json
from orchestrator.render.plan import PlannedPhase, text
from orchestrator.render.plan_document import document
from orchestrator.render.text import ASCII, UNICODE
from tests.cluster.builders import inventory

PHASES = (
    PlannedPhase("Check the hosts", "", None, False, ""),
    PlannedPhase("Take the lease", "the lease", 0.0, False, ""),
    PlannedPhase("Launch", "", None, False, "it runs\x1b[31m already"),
    PlannedPhase("Wait", "the engine to load", 900.0, True, ""),
    PlannedPhase("Prove", "a token", 600.0, False, ""),
)


def wanted(*arguments: str, hosts: int = 2, memory: int = 81_000, **more: Any) -> Inventory:
    each = {"min_gpu_memory_mib": memory, "environment": (("HF_TOKEN", "hf_secret"), ("A", "b c"))}
    serve = {"arguments": ("--trust-remote-code", *arguments)} | more.pop("serve", {})
    return inventory(hosts=hosts, each=each, serve=serve, **more)


def lines(*arguments: str, **more: Any) -> list[str]:
    return text(plan(wanted(*arguments, **more)), PHASES, UNICODE).splitlines()


def test_what_fits() -> None:
    shown = lines()
    assert shown[0] == "plan demo: no host was asked"
    assert "  423.5 billion parameters in bfloat16, 788.9 GiB on the disk of every host" in shown
    assert "on each of 16 GPUs, in GiB (TP16 × PP1 over 2 hosts)" in shown
    rows = [line.split() for line in shown]
    assert ["text", "experts", "33.5"] in rows
    assert "  weights in all                  56.4  as vLLM's `Model loading took` will report" in shown
    assert "  NCCL's buffers                   1.0  assumed" in shown
    assert "  left for the KV cache           10.1  27,648 bytes a token" in shown
    assert "✓ it fits: a KV cache of 393,008 tokens, 3.0 requests of 131,072 tokens" in shown
    assert "changes that would help, each alone" not in shown


def test_what_does_not_fit_and_what_would_help() -> None:
    shown = lines(hosts=1)
    assert "✗ it does not fit: 42.0 GiB are missing on a GPU, with a request of 131,072 tokens" in shown
    start = shown.index("changes that would help, each alone")
    assert shown[start + 1] == (
        "  ✓ weights in FP8: 56.3 GiB of weights, 3.1 requests of full length (--quantization fp8_per_tensor)"
    )


def test_a_lever_that_is_not_enough() -> None:
    small = {"tensor_parallel_size": 1}
    shown = lines(hosts=1, gpus=1, serve=small)
    (fp8,) = [line for line in shown if "weights in FP8" in line]
    assert fp8.startswith("  ✗ weights in FP8: ")
    assert "GiB would still be missing (--quantization fp8_per_tensor)" in fp8


def test_each_pipeline_stage() -> None:
    serve = {"tensor_parallel_size": 8, "pipeline_parallel_size": 2}
    shown = lines(serve=serve)
    assert [line for line in shown if line.startswith("on each of")] == [
        "on each of 8 GPUs, in GiB (TP8 × PP2 over 2 hosts, layers 0 to 26)",
        "on each of 8 GPUs, in GiB (TP8 × PP2 over 2 hosts, layers 27 to 53)",
    ]
    assert any(line.startswith("  ! pipeline-images") for line in shown)


def test_offloaded_weights_are_shown() -> None:
    rows = [" ".join(line.split()) for line in lines("--cpu-offload-gb", "50", hosts=1)]
    assert "of it in the memory of the host -50.0" in rows
    assert "weights in all 55.5 as vLLM's `Model loading took` will report" in rows


def test_what_nobody_knows() -> None:
    shown = lines(memory=0)
    assert "? unknown whether it fits" in shown
    assert shown[-1] == "  ? whether the vLLM of the head knows these options: use --hosts to ask it"
    unknown = lines(model={"id": "/models/mystery"})
    (line,) = [line for line in unknown if "its size is unknown" in line]
    assert "--hosts" in line


def test_a_cache_of_a_given_size_is_known_without_the_memory() -> None:
    shown = lines("--kv-cache-memory-bytes", "4G", memory=0)
    assert "? unknown whether it fits, a KV cache of 155,344 tokens" in shown


def test_commands_are_whole_and_say_everything_once() -> None:
    shown = lines()
    serve = [line.strip() for line in shown if "/vllm serve " in line]
    assert serve == [
        "/opt/vllm/bin/vllm serve baidu/ERNIE-4.5-VL-424B-A47B-PT --served-model-name ernie --host 0.0.0.0 "
        "--port 8000 --tensor-parallel-size 16 --pipeline-parallel-size 1 --distributed-executor-backend ray "
        "--distributed-timeout-seconds 3600 --trust-remote-code"
    ]
    assert len([line for line in shown if "/ray start " in line]) == 2
    assert [line.strip() for line in shown].count("A='b c'") == 1
    assert [line.strip() for line in shown].count("VLLM_HOST_IP=192.168.0.1") == 1
    assert "      RAY_ADDRESS=192.168.0.1:6379" in shown


def test_secrets_are_not_shown() -> None:
    shown = "\n".join(lines())
    assert "hf_secret" not in shown
    assert shown.count("HF_TOKEN=**********") == 3
    assert "hf_secret" not in to_json(document(plan(wanted()), PHASES))


def test_what_each_phase_waits_for() -> None:
    shown = lines()
    start = shown.index("phases of `up`, and their timeouts")
    assert shown[start + 1 : start + 6] == [
        "  ○ Check the hosts",
        "  ○ Take the lease   the lease: not waited for",
        "  – Launch           skipped: it runs already",
        "  ○ Wait             the engine to load: 15 min 00 s without progress",
        "  ○ Prove            a token: 10 min 00 s",
    ]


def test_a_terminal_without_unicode() -> None:
    text(plan(wanted(hosts=1)), PHASES, ASCII).encode("ascii")


def test_what_a_program_compares_with_the_log_of_vllm() -> None:
    shown = document(plan(wanted()), PHASES)
    assert (shown["fits"], shown["runs"]) == (True, True)
    assert (shown["weights_bytes_per_gpu"], shown["kv_cache_tokens"]) == (60_512_644_096, 393_008)
    assert shown["kv_bytes_per_token_per_gpu"] == 27_648
    assert json.loads(to_json(shown))["plan"]["fit"]["stages"][0]["beside"][0]["assumed"] is True
    nothing = document(plan(wanted(model={"id": "/models/mystery"})), PHASES)
    assert (nothing["fits"], nothing["weights_bytes_per_gpu"], nothing["kv_cache_tokens"]) == (None, None, None)
