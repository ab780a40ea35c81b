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
from cluster.values import Gpu, ModelFiles
from cluster.values.machine import Hub
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


def names(found: Plan) -> list[str]:
    return [one.name for one in found.findings]


def answers(
    one: Inventory, config: Any = None, options: tuple[str, ...] | None = OPTIONS, **overrides: Any
) -> Answers:
    problem = "/models/ernie/config.json: No such file or directory"
    return Answers(
        seen(one, **overrides), VllmOptions(config=config, problem=problem, options=options, options_problem="-")
    )


def test_the_reference_without_a_host() -> None:
    found = plan(wanted())
    assert (found.asked, found.runs, names(found), found.levers) == (False, True, [], ())
    assert found.model.source == "known without its config.json"
    assert found.fit is not None
    assert (found.fit.fits, found.fit.memory, found.measured) == (True, 81_000 << 20, False)
    assert (found.fit.kv_tokens, round(found.fit.largest.weights / GIB, 2)) == (393_008, 56.36)
    assert found.unknown == ("whether the vLLM of the head takes these options: ask it with --hosts",)


def test_one_that_does_not_fit_says_by_how_much_and_what_would_help() -> None:
    found = plan(wanted(hosts=1))
    assert found.fit is not None
    assert (found.runs, found.fit.fits, round((found.fit.lacking or 0) / GIB, 1)) == (False, False, 42.0)
    assert [(lever.what, lever.change, lever.fit.lacking) for lever in found.levers] == [
        ("weights in FP8", "--quantization fp8_per_tensor", 0),
        ("16 GPUs", "tensor_parallel_size: 16, pipeline_parallel_size: 1", 0),
        ("336 GiB of weights in the memory of each host, read over PCIe", "--cpu-offload-gb 42", 0),
    ]


def test_what_arguments_do_to_it() -> None:
    def tokens(*arguments: str) -> int:
        found = plan(wanted(*arguments)).fit
        assert found is not None
        return found.kv_tokens or 0

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
    refused, found = (
        plan(wanted("--quantization", "fp8_per_tensor", "--max-model-len", said, hosts=1, each=tight))
        for said in ("131072", "auto")
    )
    assert (refused.runs, names(refused)) == (False, ["context"])
    assert found.fit is not None
    assert (found.runs, found.fit.fits) == (True, True)
    assert refused.findings[0].cure == f"--max-model-len {found.fit.service.max_model_len}"


@pytest.mark.parametrize("gpus", [55, 64])
def test_more_stages_than_layers(gpus: int) -> None:
    layout = {"tensor_parallel_size": 1, "pipeline_parallel_size": gpus}
    found = plan(wanted(hosts=1, gpus=gpus, serve=layout))
    (one,) = found.findings
    assert (found.runs, found.fit, one.blocking) == (False, None, True)
    assert one.found == f"{gpus} stages, but the model has 54 layers"
    assert "pipeline_parallel_size" in one.cure


def test_as_many_stages_as_layers() -> None:
    layout = {"tensor_parallel_size": 1, "pipeline_parallel_size": 54}
    found = plan(wanted(hosts=1, gpus=54, serve=layout)).fit
    assert found is not None
    assert [stage.layers[0] for stage in found.stages] == list(range(54))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--max-model-len", "long"), "--max-model-len is 'long'"),
        (("--max-model-len", "0"), "--max-model-len is 0"),
        (("--gpu-memory-utilization", "92"), "--gpu-memory-utilization is 92, which is no share"),
        (("--gpu-memory-utilization", "nan"), "--gpu-memory-utilization is nan"),
        (("--cpu-offload-gb", "-1"), "--cpu-offload-gb is -1"),
    ],
)
def test_arguments_that_vllm_refuses(arguments: tuple[str, ...], said: str) -> None:
    found = plan(wanted(*arguments))
    assert (found.fit, found.runs, names(found)) == (None, False, ["argument"])
    assert said in found.findings[0].found


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-model-len",), ("--max-model-len", "--enforce-eager"), ("--dtype",), ("--hf-overrides",),
        ("--limit-mm-per-prompt", "--trust-remote-code"), ("--compilation-config",),
    ],
)  # fmt: skip
def test_an_option_without_its_value(arguments: tuple[str, ...]) -> None:
    found = plan(wanted(*arguments))
    assert not found.runs
    assert found.findings[0].found == f"{arguments[0]} needs a value"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--quantization", "awq"), "--quantization awq"),
        (("--kv-cache-dtype", "int4_per_token_head"), "--kv-cache-dtype int4_per_token_head"),
        (("--dtype", "fp64"), "type fp64"),
    ],
)
def test_what_is_not_known_is_not_guessed(arguments: tuple[str, ...], said: str) -> None:
    found = plan(wanted(*arguments))
    assert (found.fit, found.runs) == (None, True)
    assert said in found.unknown[0]


def test_options_that_no_figure_has_are_named() -> None:
    found = plan(wanted("--speculative-config", "{}", "--enable-lora"))
    assert [one.partition(":")[0] for one in found.unknown[:2]] == ["--enable-lora", "--speculative-config"]


def test_a_layout_that_cannot_be() -> None:
    """28B over pipeline stages: vLLM does not build it. TP8 is refused by the inventory already."""
    model = {"id": "baidu/ERNIE-4.5-VL-28B-A3B-PT"}
    one = wanted(hosts=1, gpus=2, model=model, serve={"tensor_parallel_size": 1, "pipeline_parallel_size": 2})
    found = plan(one)
    assert (found.runs, names(found)) == (False, ["layout", "pipeline-images"])


def test_without_the_memory_of_the_gpus() -> None:
    found = plan(wanted(each={"min_gpu_memory_mib": 0}))
    assert found.fit is not None
    assert (found.fit.fits, found.fit.kv_tokens, found.runs) == (None, None, True)
    assert "min_gpu_memory_mib" in found.unknown[0]


def test_a_model_that_nobody_knows_says_how_to_know_it() -> None:
    found = plan(wanted(model={"id": "/models/mystery"}))
    assert (found.fit, found.model.source, found.runs) == (None, "", True)
    assert "/models/mystery/config.json: No such file or directory" in found.model.problem
    assert "--hosts" in found.model.problem


def folder(path: Path, content: str) -> dict[str, Any]:
    (path / "config.json").write_text(content)
    return {"id": str(path)}


def test_a_folder_that_is_here(tmp_path: Path) -> None:
    found = plan(wanted(model=folder(tmp_path, json.dumps(CONFIGS["424b-8L"]))))
    assert (found.model.source, found.model.problem) == ("config.json on this machine", "")
    assert found.fit is not None
    assert found.fit.largest.layers[-1] == 7


@pytest.mark.parametrize("content", ["", "[]", "7", "null", "{", '{"architectures": ["Nobody"]}'])
def test_a_folder_with_another_config(tmp_path: Path, content: str) -> None:
    found = plan(wanted(model=folder(tmp_path, content)))
    assert found.fit is None
    assert found.model.problem


def test_a_cache_that_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before what is known: the published model may have changed."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    one = wanted()
    snapshot = tmp_path / "hub" / f"models--{one.model.id.replace('/', '--')}" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(CONFIGS["424b-8L"]))
    assert plan(one).model.source == "config.json on this machine"


def test_the_head_is_believed_before_what_is_here() -> None:
    one = wanted()
    found = plan(one, answers(one, CONFIGS["424b-8L"]))
    assert (found.asked, found.model.source, found.unknown) == (True, "config.json on gpu-a", ())
    assert found.fit is not None
    assert found.fit.largest.layers[-1] == 7


def test_the_memory_that_the_smallest_gpu_reports() -> None:
    one = wanted()
    cards: tuple[Gpu, ...] = tuple(card(index, memory_mib=143_771 - index) for index in range(8))
    found = plan(one, answers(one, gpus=cards))
    assert found.fit is not None
    assert (found.fit.memory, found.measured) == ((143_771 - 7) << 20, True)


@pytest.mark.parametrize("cards", [(), (card(0, memory_mib=None),)])
def test_gpus_that_do_not_say_leave_what_is_declared(cards: tuple[Gpu, ...]) -> None:
    one = wanted()
    found = plan(one, answers(one, gpus=cards))
    assert found.fit is not None
    assert (found.fit.memory, found.measured) == (81_000 << 20, False)


def test_a100s_are_given_smaller_batches() -> None:
    """vLLM 0.32, get_batch_defaults."""
    one = wanted()
    cards = tuple(card(index, name="NVIDIA A100-SXM4-80GB") for index in range(8))
    found = plan(one, answers(one, gpus=cards)).fit
    assert found is not None
    assert "images of 2,048 tokens" in {share.what for share in found.largest.beside}


def test_what_blackwell_may_add_is_said() -> None:
    """TP16 leaves 224 and 96 of the experts' widths on a GPU; in FP8 other kernels are taken."""
    one, fp8 = wanted(), wanted("--quantization", "fp8_per_tensor")
    spec = one.hosts[0]
    health = tuple(builders.health(index, capability="10.0") for index in range(8))
    b200 = builders.hardware(spec, health=health)
    (said,) = plan(one, answers(one, hardware=b200)).unknown
    assert "pad the text experts and vision experts to a multiple of 128" in said
    assert plan(one, answers(one)).unknown == ()
    assert plan(fp8, answers(fp8, options=(*OPTIONS, "--quantization"), hardware=b200)).unknown == ()


def test_options_are_looked_up_where_the_head_was_asked() -> None:
    one = wanted("--disable-log-requests")
    assert names(plan(one, answers(one))) == ["unknown-option"]
    assert names(plan(one)) == []
    unasked = plan(one, answers(one, options=None))
    assert (names(unasked), len(unasked.unknown)) == ([], 1)


def test_a_head_that_cannot_be_asked_is_said_and_the_rest_is_planned() -> None:
    one = wanted()
    lost = Unreachable("gpu-a", "connect", cause="no route to host")
    view = {"gpu-a": HostView("gpu-a", problem=lost), "gpu-b": seen(one)["gpu-b"]}
    found = plan(one, Answers(view, lost))
    assert [host.problem for host in found.hosts] == ["no route to host", ""]
    assert found.unknown == ("whether the vLLM of the head takes these options: no route to host",)
    assert found.fit is not None
    assert (found.fit.fits, found.measured) == (True, False)


def test_the_room_on_the_fullest_disk_that_lacks_the_model() -> None:
    one = wanted()
    lacking = ModelFiles(path="/hf", sizes={}, problem="lacks all")
    hub = machine(hub=Hub(path="/hf/hub", free_mib=1000, held_mib=24))
    found = plan(one, answers(one, model=lacking, machine=hub))
    assert (found.model.free, names(found), found.runs) == (1024 << 20, ["disk"], True)
    assert plan(one, answers(one, machine=hub)).model.free is None


def test_units_are_those_that_up_launches() -> None:
    one = wanted(each={"environment": (("HF_TOKEN", "hf_secret"), ("NCCL_IB_HCA", "mlx5"))})
    found = plan(one, answers(one))
    for host, spec in zip(found.hosts, one.hosts, strict=True):
        real = [
            ray.unit(one, spec, facts(spec)),
            *([vllm.unit(one, facts(spec))] if spec.role == "head" else []),
        ]
        assert [(unit.name, unit.command, unit.environment) for unit in host.units] == [
            (unit.name, unit.argv, unit.env) for unit in real
        ]
        assert {"HF_TOKEN"} <= set(host.units[0].secrets)
    assert "hf_secret" not in repr(found)


def test_what_only_hosts_know_has_a_name_where_none_was_asked() -> None:
    one = wanted()
    place = Unseen("/var/tmp/o-UID/f00")
    assert (place.interface("10.0.0.1"), place.python, place.versions) == ("INTERFACE", "", {})
    (unit, _) = plan(one).hosts[0].units
    environment = dict(unit.environment)
    assert (environment["GLOO_SOCKET_IFNAME"], environment["NCCL_SOCKET_IFNAME"]) == ("INTERFACE", "=INTERFACE")
    assert environment["TRITON_CACHE_DIR"].startswith("/var/tmp/o-UID/")
    assert any(word.startswith("--temp-dir=/var/tmp/o-UID/") for word in unit.command)


def test_one_host_serves_without_ray() -> None:
    (host,) = plan(wanted(hosts=1)).hosts
    assert [unit.name for unit in host.units] == ["vllm"]
