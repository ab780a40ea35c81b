"""The command line and environment of `vllm serve`."""

from __future__ import annotations

import dataclasses

import pytest
from pydantic import SecretStr

from cluster.inventory.models import ServeSpec
from cluster.launch.unit import launch
from cluster.launch.vllm import argv, unit
from tests.cluster.builders import STATE, facts, inventory
from tests.cluster.launch.test_unit import sent

SYMMETRIC = "VLLM_ALLREDUCE_USE_SYMM_MEM"
ERNIE = "baidu/ERNIE-4.5-VL-424B-A47B-PT"


def test_over_several_hosts() -> None:
    assert argv(inventory()) == (
        "/opt/vllm/bin/vllm", "serve", ERNIE, "--served-model-name", "ernie",
        "--host", "0.0.0.0", "--port", "8000",
        "--tensor-parallel-size", "16", "--pipeline-parallel-size", "1",
        "--distributed-executor-backend", "ray",
        "--distributed-timeout-seconds", "3600",
    )  # fmt: skip


def test_one_host_needs_no_ray() -> None:
    one = inventory(1)
    found = unit(one, facts(one.head))
    assert "ray" not in found.argv
    assert not any(name.startswith("RAY_") for name, _ in (*found.env, *found.secrets))


def test_a_revision_is_handed_on() -> None:
    words = argv(inventory(model={"revision": "refs/pr/17"}))
    assert words[words.index("--revision") + 1] == "refs/pr/17"


def test_the_inventorys_arguments_stand_last_and_win() -> None:
    own = ("--max-model-len", "4096", "--distributed-timeout-seconds", "60")
    words = argv(inventory(serve={"arguments": own}))
    assert words[-4:] == own
    assert words.count("--distributed-timeout-seconds") == 1


def test_the_engine_finds_our_ray() -> None:
    one = inventory()
    found = unit(one, facts(one.head))
    assert (found.host, found.name, found.state) == ("gpu-a", "vllm", STATE)
    assert ("RAY_ADDRESS", "192.168.0.1:6379") in found.env


@pytest.mark.parametrize(
    ("hosts", "gpus", "tensor", "wanted"),
    [(2, 8, 16, ["0"]), (2, 8, 8, []), (2, 8, 4, []), (1, 8, 8, []), (2, 6, 4, ["0"]), (2, 3, 2, ["0"])],
)
def test_symmetric_memory_is_turned_off_where_a_group_has_other_hosts(
    hosts: int, gpus: int, tensor: int, wanted: list[str]
) -> None:
    """Six GPUs a host in groups of four: the second group has two GPUs of each."""
    sizes = {"tensor_parallel_size": tensor, "pipeline_parallel_size": hosts * gpus // tensor}
    one = inventory(hosts, gpus, serve=sizes)
    assert [value for name, value in unit(one, facts(one.head)).env if name == SYMMETRIC] == wanted


def test_a_rack_with_nvlink_between_hosts_can_have_symmetric_memory() -> None:
    one = inventory(each={"environment": ((SYMMETRIC, "1"),)})
    assert (SYMMETRIC, "1") in unit(one, facts(one.head)).env


def test_the_key_is_a_secret() -> None:
    serve = ServeSpec.model_construct(tensor_parallel_size=8, api_key=SecretStr("hush"))
    one = inventory(1).model_copy(update={"serve": serve})
    found = unit(one, facts(one.head))
    assert ("VLLM_API_KEY", "hush") in found.secrets
    assert not any("hush" in word for word in found.argv)
    assert "hush" not in repr(found)


def test_with_a_key_the_engine_loads_what_guards_every_route() -> None:
    serve = ServeSpec.model_construct(tensor_parallel_size=8, api_key=SecretStr("hush"), arguments=("--seed", "7"))
    one = inventory(1).model_copy(update={"serve": serve})
    found = unit(one, facts(one.head))
    assert found.argv[-4:] == ("--middleware", "orchestrator_require_key.RequireKey", "--seed", "7")
    ((name, text),) = found.modules
    assert name == "orchestrator_require_key"
    assert "class RequireKey" in text
    changed = dataclasses.replace(found, modules=((name, text + "\n"),))
    assert changed.fingerprint != found.fingerprint


def test_without_a_key_nothing_is_added() -> None:
    one = inventory(1)
    found = unit(one, facts(one.head))
    assert "--middleware" not in found.argv
    assert found.modules == ()
    assert "modules" not in sent(launch(found, "/opt/vllm"))
