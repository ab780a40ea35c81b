"""What is tried and how it is read, without GPUs."""

import json
import re
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.gpu_lab import questions, rig, run, variants, workload
from benchmarks.gpu_lab.parts import PARTS
from benchmarks.gpu_lab.variants import DEFAULT, EAGER, TUNED, Trial
from cluster.inventory import load
from cluster.remote.facts import gpus, hardware
from sandbox import cli, inventory
from sandbox.layout import Layout, Order


@pytest.fixture
def base() -> dict[str, Any]:
    order = Order("gpu", 2, 1, "vllm", real=True, model=Path("/place/models/vl28b"))
    found: dict[str, Any] = yaml.safe_load(inventory.render(Layout(order, 0), "known_hosts"))
    return found


def test_a_host_by_itself_needs_no_ray(base: dict[str, Any], tmp_path: Path) -> None:
    made = variants.inventory(
        base, Trial("eager-node1", ("node1",), "/place/models/vl28b", variant=EAGER), "/place"
    )
    path = tmp_path / "one.yaml"
    for name in ("known_hosts", "client_key"):
        (tmp_path / name).touch()
    path.write_text(json.dumps(made).replace("/run/orchestrator-sandbox/gpu", str(tmp_path)))
    found = load(path, {})
    assert (found.head.name, found.head.gpu_ids, found.uses_ray) == ("node1", (1,), False)
    assert "--enforce-eager" in found.serve.arguments
    assert dict(found.head.environment)["TRITON_CACHE_DIR"] == "/place/cache/node1/triton"
    assert dict(found.head.environment)["NCCL_NVLS_ENABLE"] == "0"


def test_pipelines_take_the_same_gpus(base: dict[str, Any]) -> None:
    serve = variants.inventory(base, Trial("pp2", ("node0", "node1"), pipeline=2), "/place")["serve"]
    assert (serve["tensor_parallel_size"], serve["pipeline_parallel_size"]) == (1, 2)


def test_pictures_need_the_vision_tower(base: dict[str, Any]) -> None:
    serve = variants.inventory(base, Trial("vision", ("node0",), images=True), "/place")["serve"]
    assert serve["prove_image"]
    assert "--language-model-only" not in serve["arguments"]


def test_a_trial_leaves_the_base_as_it_was(base: dict[str, Any]) -> None:
    before = json.dumps(base)
    variants.inventory(base, Trial("x", ("node1", "node0"), "/m", images=True, variant=TUNED[1]), "/place")
    assert json.dumps(base) == before


@pytest.mark.parametrize("variant", [EAGER, *TUNED], ids=lambda one: str(one.name))
def test_a_variant_is_predicted_and_is_the_change_it_names(
    base: dict[str, Any], variant: variants.Variant
) -> None:
    def of(one: variants.Variant) -> dict[str, Any]:
        return variants.inventory(base, Trial("x", ("node0",), variant=one), "/place")

    plain, made = of(DEFAULT), of(variant)
    assert float(variant.prediction.split()[0].rstrip(":")) > 0
    more = [word for word in made["serve"]["arguments"] if word not in plain["serve"]["arguments"]]
    flags = [word for word in more if word.startswith("-")]
    changes = 0 if variant is DEFAULT else len(variant.name.split("+"))
    assert len(flags) == changes


def test_variants_have_names_of_their_own() -> None:
    names = [one.name for one in (EAGER, *TUNED)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("memory", "share"), [(143771 / 1024, "0.521"), (81559 / 1024, "0.921")])
def test_a_larger_gpu_gives_as_much_as_one_of_80_gb(memory: float, share: str) -> None:
    without, offloaded = variants.quantized(memory)
    assert without.arguments == ("--quantization", "fp8_per_tensor", "--gpu-memory-utilization", share)
    assert offloaded.arguments == (*without.arguments, "--cpu-offload-gb", "50")


def test_the_machine_is_asked_what_the_probe_asks() -> None:
    asked = {argv[1] for name, argv in questions.OF_THE_MACHINE.items() if name.startswith("nvidia-smi")}
    probe = (gpus.GPU_FIELDS, hardware.HEALTH_FIELDS, hardware.FABRIC_FIELDS, hardware.NEWER_FIELDS)
    assert {f"--query-gpu={fields}" for fields in probe} <= asked
    assert f"--query-compute-apps={gpus.PROCESS_FIELDS}" in asked


@pytest.mark.parametrize(
    ("memory", "processes", "problem"),
    [
        ("0, 4\n1, 0\n", "", ""),
        ("0, 4\n1, 60123\n", "", "GPU 1 has 60123 MiB in use"),
        ("0, 4\n", "812, 700\n", "process 812, 700"),
        ("0, [N/A]\n", "", "GPU 0 has [N/A] MiB in use"),
        ("", "", "nvidia-smi said nothing"),
    ],
)
def test_gpus_are_free_only_when_it_is_said(memory: str, processes: str, problem: str) -> None:
    assert questions.free(memory, processes) == problem


def test_only_the_gpus_of_this_run_are_looked_at() -> None:
    memory, processes = questions.in_use([1]).values()
    assert memory[2:4] == processes[2:4] == ["-i", "1"]


def test_the_guides_workload_is_asked_for_word_by_word() -> None:
    words = workload.client(workload.GUIDE, "http://h:8000", "/m", "m", 3, "pair")
    said = " ".join(words)
    for part in (
        "--random-input-len 8000", "--random-output-len 1000", "--request-rate 10", "--num-prompts 16",
        "--ignore-eos", "--trust-remote-code", "--dataset-name random", "--seed 3",
    ):  # fmt: skip
        assert part in said
    assert workload.result_file("pair") == "/tmp/results/pair.json"


def test_figures_are_those_of_vllms_result() -> None:
    said = json.dumps({"output_throughput": 754.2, "mean_ttft_ms": 1400.0, "date": "today", "completed": 16})
    assert workload.figures(said) == {"completed": 16, "output_throughput": 754.2, "mean_ttft_ms": 1400.0}
    assert workload.figures("") == workload.figures("[]") == {}


def test_the_table_has_a_line_each_and_blanks_for_what_is_not_known() -> None:
    lines = workload.table({"a": {"output_throughput": 1754.2, "mean_tpot_ms": 19.04}, "b": {}}).splitlines()
    assert lines[2:] == ["| a | 1,754 |  | 19.0 |  |", "| b |  |  |  |  |"]


def test_counters_are_added_over_engines() -> None:
    said = (
        'vllm:prefix_cache_hits_total{engine="0"} 3.0\nvllm:prefix_cache_hits_total{engine="1"} 4.0\n# TYPE x y\n'
    )
    assert workload.sums(said) == {"prefix_cache_queries_total": 0.0, "prefix_cache_hits_total": 7.0}


def test_only_what_forbids_a_start_is_passed_over() -> None:
    findings = [{"name": "mtu", "severity": "warning"}, {"name": "cuda", "severity": "blocking"}] * 2
    assert rig.blocking(json.dumps({"findings": findings})) == ["cuda"]
    assert rig.blocking("no JSON") == []


def test_the_programs_can_be_run() -> None:
    for name in ("raw-facts", "ask"):
        assert Path(f"scripts/{name}").stat().st_mode & stat.S_IXUSR


def test_what_the_page_says_is_what_the_programs_take() -> None:
    page = Path("docs/gpu-run.md").read_text()
    for words in re.findall(r"python -m benchmarks\.gpu_lab\.run (.*?)(?: &)?$", page, re.MULTILINE):
        run.parser().parse_args(shlex.split(words))
    for words in re.findall(r"python -m sandbox (up .*)$", page, re.MULTILINE):
        assert cli.parser().parse_args(shlex.split(words)).real_gpus
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE)) == set(PARTS)
