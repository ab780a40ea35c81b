"""The plan of an inventory: what comes of model, arguments, GPUs and, where they were asked, of hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.launch import ray, vllm
from cluster.plan import Answers, plan
from cluster.plan.query import VllmOptions
from cluster.plan.results import Plan
from cluster.plan.units import Unseen
from cluster.values import Gpu
from cluster.values.facts import Hub, ModelFiles
from cluster.views import HostView
from tests.cluster import builders
from tests.cluster.builders import card, facts, inventory, machine, seen
from tests.cluster.model.configs import CONFIGS

GIB = 1 << 30
OPTIONS = ("--trust-remote-code", "--max-model-len")


def wanted(*arguments: str, each: dict[str, Any] | None = None, **more: Any) -> Inventory:
    arguments = ("--trust-remote-code", *arguments)
    each = {"min_gpu_memory_mib": 81_000} | (each or {})
    serve = {"arguments": arguments} | more.pop("serve", {})
    return inventory(each=each, serve=serve, **more)


def names(planned: Plan) -> list[str]:
    return [finding.name for finding in planned.findings]


def answers(
    demo: Inventory, config: Any = None, options: tuple[str, ...] | None = OPTIONS, **overrides: Any
) -> Answers:
    problem = "/models/ernie/config.json: No such file or directory"
    return Answers(
        seen(demo, **overrides),
        VllmOptions(config=config, problem=problem, options=options, options_problem="-"),
    )


def test_the_reference_without_a_host() -> None:
    planned = plan(wanted())
    assert (planned.asked, planned.runs, names(planned), planned.levers) == (False, True, [], ())
    assert planned.model.source == "known without its config.json"
    assert planned.fit is not None
    assert (planned.fit.fits, planned.fit.memory, planned.measured) == (True, 81_000 << 20, False)
    assert (planned.fit.kv_tokens, round(planned.fit.largest.weights / GIB, 2)) == (393_008, 56.36)
    assert planned.unknown == ("whether the vLLM of the head knows these options: use --hosts to ask it",)


def test_one_that_does_not_fit_says_by_how_much_and_what_would_help() -> None:
    planned = plan(wanted(hosts=1))
    assert planned.fit is not None
    assert (planned.runs, planned.fit.fits, round((planned.fit.lacking or 0) / GIB, 1)) == (False, False, 42.0)
    assert [(lever.what, lever.change, lever.fit.lacking) for lever in planned.levers] == [
        ("weights in FP8", "--quantization fp8_per_tensor", 0),
        ("16 GPUs", "tensor_parallel_size: 16, pipeline_parallel_size: 1", 0),
        ("336 GiB of weights in the memory of each host, read over PCIe", "--cpu-offload-gb 42", 0),
    ]


def test_what_arguments_do_to_it() -> None:
    def tokens(*arguments: str) -> int:
        planned = plan(wanted(*arguments)).fit
        assert planned is not None
        return planned.kv_tokens or 0

    before = tokens()
    assert tokens("--kv-cache-dtype", "fp8") == pytest.approx(2 * before, abs=32)
    assert tokens("--gpu-memory-utilization", "0.5") == 0
    for more in (
        ("--quantization", "fp8_per_tensor"), ("--language-model-only",), ("--enforce-eager",),
        ("--limit-mm-per-prompt", '{"image": 0, "video": 0}'), ("--max-num-batched-tokens", "2048"),
        ("--hf-overrides", '{"max_position_embeddings": 32768}'),
    ):  # fmt: skip
        assert tokens(*more) > before, more


def test_a_context_as_long_as_fits() -> None:
    tight = {"min_gpu_memory_mib": 70 << 10}
    refused, planned = (
        plan(wanted("--quantization", "fp8_per_tensor", "--max-model-len", length, hosts=1, each=tight))
        for length in ("131072", "auto")
    )
    assert (refused.runs, names(refused)) == (False, ["context"])
    assert planned.fit is not None
    assert (planned.runs, planned.fit.fits) == (True, True)
    assert refused.findings[0].cure == f"set --max-model-len {planned.fit.service.max_model_len}"


@pytest.mark.parametrize("gpus", [55, 64])
def test_more_stages_than_layers(gpus: int) -> None:
    layout = {"tensor_parallel_size": 1, "pipeline_parallel_size": gpus}
    planned = plan(wanted(hosts=1, gpus=gpus, serve=layout))
    (finding,) = planned.findings
    assert (planned.runs, planned.fit, finding.blocking) == (False, None, True)
    assert finding.found == f"{gpus} stages, but the model has 54 layers"
    assert "pipeline_parallel_size" in finding.cure


def test_as_many_stages_as_layers() -> None:
    layout = {"tensor_parallel_size": 1, "pipeline_parallel_size": 54}
    planned = plan(wanted(hosts=1, gpus=54, serve=layout)).fit
    assert planned is not None
    assert [stage.layers[0] for stage in planned.stages] == list(range(54))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-model-len", "long"), "--max-model-len is 'long'"),
        (("--max-model-len", "0"), "--max-model-len is 0"),
        (("--gpu-memory-utilization", "92"), "--gpu-memory-utilization is 92, but must be above 0 and at most 1"),
        (("--gpu-memory-utilization", "nan"), "--gpu-memory-utilization is nan"),
        (("--cpu-offload-gb", "-1"), "--cpu-offload-gb is -1"),
    ],
)
def test_arguments_that_vllm_refuses(arguments: tuple[str, ...], message: str) -> None:
    planned = plan(wanted(*arguments))
    assert (planned.fit, planned.runs, names(planned)) == (None, False, ["argument"])
    assert message in planned.findings[0].found


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-model-len",), ("--max-model-len", "--enforce-eager"), ("--dtype",), ("--hf-overrides",),
        ("--limit-mm-per-prompt", "--trust-remote-code"), ("--compilation-config",),
        ("--hf-overrides=",), ("--limit-mm-per-prompt", ""), ("--hf-overrides.rope_theta",),
        ("--limit-mm-per-prompt.image", "--trust-remote-code"), ("--limit_mm_per_prompt=",),
    ],
)  # fmt: skip
def test_an_option_without_its_value(arguments: tuple[str, ...]) -> None:
    planned = plan(wanted(*arguments))
    assert not planned.runs
    assert (
        planned.findings[0].found
        == f"{arguments[0].rstrip('=').replace('limit_mm_per_prompt', 'limit-mm-per-prompt')} needs a value"
    )


def test_a_secret_among_the_arguments_is_not_shown() -> None:
    planned = plan(wanted("--hf-overrides.api_key", "SECRET", '--kv-transfer-config={"token": "SECRET"}'))
    assert "SECRET" not in repr(planned)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--quantization", "awq"), "--quantization awq"),
        (("--kv-cache-dtype", "int4_per_token_head"), "--kv-cache-dtype int4_per_token_head"),
        (("--dtype", "fp64"), "type fp64"),
    ],
)
def test_what_is_not_known_is_not_guessed(arguments: tuple[str, ...], message: str) -> None:
    planned = plan(wanted(*arguments))
    assert (planned.fit, planned.runs) == (None, True)
    assert message in planned.unknown[0]


def test_options_that_no_figure_has_are_named() -> None:
    planned = plan(wanted("--speculative-config", "{}", "--enable-lora"))
    assert [gap.partition(":")[0] for gap in planned.unknown[:2]] == ["--enable-lora", "--speculative-config"]


def test_a_layout_that_cannot_be() -> None:
    """28B over pipeline stages: vLLM does not build it. TP8 is refused by the inventory already."""
    model = {"id": "baidu/ERNIE-4.5-VL-28B-A3B-PT"}
    demo = wanted(hosts=1, gpus=2, model=model, serve={"tensor_parallel_size": 1, "pipeline_parallel_size": 2})
    planned = plan(demo)
    assert (planned.runs, names(planned)) == (False, ["layout", "pipeline-images"])


def test_without_the_memory_of_the_gpus() -> None:
    planned = plan(wanted(each={"min_gpu_memory_mib": 0}))
    assert planned.fit is not None
    assert (planned.fit.fits, planned.fit.kv_tokens, planned.runs) == (None, None, True)
    assert "min_gpu_memory_mib" in planned.unknown[0]


def test_a_model_that_nobody_knows_says_how_to_know_it() -> None:
    planned = plan(wanted(model={"id": "/models/mystery"}))
    assert (planned.fit, planned.model.source, planned.runs) == (None, "", True)
    assert "/models/mystery/config.json: No such file or directory" in planned.model.problem
    assert "--hosts" in planned.model.problem


def folder(path: Path, content: str) -> dict[str, Any]:
    (path / "config.json").write_text(content)
    return {"id": str(path)}


def test_a_folder_that_is_here(tmp_path: Path) -> None:
    planned = plan(wanted(model=folder(tmp_path, json.dumps(CONFIGS["424b-8L"]))))
    assert (planned.model.source, planned.model.problem) == ("config.json on this machine", "")
    assert planned.fit is not None
    assert planned.fit.largest.layers[-1] == 7


@pytest.mark.parametrize("content", ["", "[]", "7", "null", "{", '{"architectures": ["Nobody"]}'])
def test_a_folder_with_another_config(tmp_path: Path, content: str) -> None:
    planned = plan(wanted(model=folder(tmp_path, content)))
    assert planned.fit is None
    assert planned.model.problem


def test_a_cache_that_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before what is known: the published model may have changed."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    demo = wanted()
    snapshot = tmp_path / "hub" / f"models--{demo.model.id.replace('/', '--')}" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(CONFIGS["424b-8L"]))
    assert plan(demo).model.source == "config.json on this machine"


def test_the_head_is_believed_before_what_is_here() -> None:
    demo = wanted()
    planned = plan(demo, answers(demo, CONFIGS["424b-8L"]))
    assert (planned.asked, planned.model.source, planned.unknown) == (True, "config.json on gpu-a", ())
    assert planned.fit is not None
    assert planned.fit.largest.layers[-1] == 7


def test_the_memory_that_the_smallest_gpu_reports() -> None:
    demo = wanted()
    cards: tuple[Gpu, ...] = tuple(card(index, memory_mib=143_771 - index) for index in range(8))
    planned = plan(demo, answers(demo, gpus=cards))
    assert planned.fit is not None
    assert (planned.fit.memory, planned.measured) == ((143_771 - 7) << 20, True)


@pytest.mark.parametrize("cards", [(), (card(0, memory_mib=None),)])
def test_gpus_that_do_not_say_leave_what_is_declared(cards: tuple[Gpu, ...]) -> None:
    demo = wanted()
    planned = plan(demo, answers(demo, gpus=cards))
    assert planned.fit is not None
    assert (planned.fit.memory, planned.measured) == (81_000 << 20, False)


def test_a100s_are_given_smaller_batches() -> None:
    """vLLM 0.32, get_batch_defaults."""
    demo = wanted()
    cards = tuple(card(index, name="NVIDIA A100-SXM4-80GB") for index in range(8))
    planned = plan(demo, answers(demo, gpus=cards)).fit
    assert planned is not None
    assert "images of 2,048 tokens" in {share.what for share in planned.largest.beside}


def test_what_blackwell_may_add_is_said() -> None:
    """TP16 leaves 224 and 96 of the experts' widths on a GPU; in FP8 other kernels are taken."""
    demo, fp8 = wanted(), wanted("--quantization", "fp8_per_tensor")
    spec = demo.hosts[0]
    health = tuple(builders.health(index, capability="10.0") for index in range(8))
    b200 = builders.hardware(spec, health=health)
    (gap,) = plan(demo, answers(demo, hardware=b200)).unknown
    assert "pad the text experts and vision experts to a multiple of 128" in gap
    assert plan(demo, answers(demo)).unknown == ()
    assert plan(fp8, answers(fp8, options=(*OPTIONS, "--quantization"), hardware=b200)).unknown == ()


def test_options_are_looked_up_where_the_head_was_asked() -> None:
    demo = wanted("--disable-log-requests")
    assert names(plan(demo, answers(demo))) == ["unknown-option"]
    assert names(plan(demo)) == []
    unasked = plan(demo, answers(demo, options=None))
    assert (names(unasked), len(unasked.unknown)) == ([], 1)


def test_a_head_that_cannot_be_asked_is_said_and_the_rest_is_planned() -> None:
    demo = wanted()
    lost = Unreachable("gpu-a", "connect", cause="no route to host")
    view = {"gpu-a": HostView("gpu-a", problem=lost), "gpu-b": seen(demo)["gpu-b"]}
    planned = plan(demo, Answers(view, lost))
    assert [host.problem for host in planned.hosts] == ["no route to host", ""]
    assert planned.unknown == ("whether the vLLM of the head knows these options: no route to host",)
    assert planned.fit is not None
    assert (planned.fit.fits, planned.measured) == (True, False)


def test_the_room_on_the_fullest_disk_that_lacks_the_model() -> None:
    demo = wanted()
    lacking = ModelFiles(path="/hf", sizes={}, problem="lacks all")
    hub = machine(hub=Hub(path="/hf/hub", free_mib=1000, held_mib=24))
    planned = plan(demo, answers(demo, model=lacking, machine=hub))
    assert (planned.model.free, names(planned), planned.runs) == (1024 << 20, ["disk"], True)
    assert plan(demo, answers(demo, machine=hub)).model.free is None


def test_units_are_those_that_up_launches() -> None:
    demo = wanted(each={"environment": (("HF_TOKEN", "hf_secret"), ("NCCL_IB_HCA", "mlx5"))})
    planned = plan(demo, answers(demo))
    for host, spec in zip(planned.hosts, demo.hosts, strict=True):
        real = [
            ray.unit(demo, spec, facts(spec)),
            *([vllm.unit(demo, facts(spec))] if spec.role == "head" else []),
        ]
        assert [(unit.name, unit.command, unit.environment) for unit in host.units] == [
            (unit.name, unit.argv, unit.env) for unit in real
        ]
        assert {"HF_TOKEN"} <= set(host.units[0].secrets)
    assert "hf_secret" not in repr(planned)


def test_what_only_hosts_know_has_a_name_where_none_was_asked() -> None:
    demo = wanted()
    place = Unseen("/var/tmp/o-UID/f00")
    assert (place.interface("10.0.0.1"), place.python, place.versions) == ("INTERFACE", "", {})
    (unit, _) = plan(demo).hosts[0].units
    environment = dict(unit.environment)
    assert (environment["GLOO_SOCKET_IFNAME"], environment["NCCL_SOCKET_IFNAME"]) == ("INTERFACE", "=INTERFACE")
    assert environment["TRITON_CACHE_DIR"].startswith("/var/tmp/o-UID/")
    assert any(word.startswith("--temp-dir=/var/tmp/o-UID/") for word in unit.command)


def test_one_host_serves_without_ray() -> None:
    (host,) = plan(wanted(hosts=1)).hosts
    assert [unit.name for unit in host.units] == ["vllm"]
