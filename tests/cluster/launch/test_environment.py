"""The table of what units are launched with, value by value."""

from __future__ import annotations

import pytest

from cluster.launch.environment import (
    authentication,
    environment,
    nccl_logs,
    public,
    ray_address,
    secret,
    versions,
)
from tests.cluster.builders import STATE, facts, inventory

COMMON = {
    "VLLM_HOST_IP": "192.168.0.1",
    "GLOO_SOCKET_IFNAME": "eth1",
    "NCCL_SOCKET_IFNAME": "=eth1",
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "TRITON_CACHE_DIR": f"{STATE}/cache/triton",
    "VLLM_CACHE_ROOT": f"{STATE}/cache/vllm",
    "FLASHINFER_WORKSPACE_BASE": f"{STATE}/cache",
    "TORCHINDUCTOR_CACHE_DIR": f"{STATE}/cache/inductor",
    "HF_MODULES_CACHE": f"{STATE}/cache/modules",
    "NCCL_DEBUG": "INFO",
    "NCCL_DEBUG_SUBSYS": "INIT,NET",
    "NCCL_DEBUG_FILE": f"{STATE}/nccl.%h.%p.log",
    "VLLM_ENGINE_READY_TIMEOUT_S": "7200",
    "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "30",
    "HF_HUB_OFFLINE": "1",
}
RAY = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN_PATH": f"{STATE}/ray.token",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


@pytest.mark.parametrize(("hosts", "wanted"), [(1, COMMON), (2, COMMON | RAY)])
def test_the_whole_table(hosts: int, wanted: dict[str, str]) -> None:
    one = inventory(hosts)
    assert environment(one, one.head, facts(one.head)) == wanted


def test_each_host_has_its_own_address_and_interface() -> None:
    one = inventory()
    worker = one.workers[0]
    found = environment(one, worker, facts(worker, addresses={"lo": ("127.0.0.1",), "ib0": ("192.168.0.2",)}))
    assert found["VLLM_HOST_IP"] == "192.168.0.2"
    assert (found["GLOO_SOCKET_IFNAME"], found["NCCL_SOCKET_IFNAME"]) == ("ib0", "=ib0")


def test_ray_takes_an_ipv6_address_in_brackets() -> None:
    spec = inventory(1).head.model_copy(update={"cluster_address": "fd00::1"})
    one = inventory(1).model_copy(update={"hosts": (spec,)})
    assert ray_address(one) == "[fd00::1]:6379"


def test_chosen_gpus_are_made_visible() -> None:
    one = inventory(gpus=2, each={"gpu_ids": (5, 7)})
    assert environment(one, one.head, facts(one.head))["CUDA_VISIBLE_DEVICES"] == "5,7"


def test_downloads_are_allowed_only_where_wanted() -> None:
    one = inventory(model={"download": True})
    assert "HF_HUB_OFFLINE" not in environment(one, one.head, facts(one.head))


def test_the_inventory_has_the_last_word() -> None:
    one = inventory(each={"environment": (("NCCL_DEBUG", "WARN"), ("MINE", "1"))})
    found = environment(one, one.head, facts(one.head))
    assert (found["NCCL_DEBUG"], found["MINE"]) == ("WARN", "1")


def test_secrets_and_others_are_told_apart_by_name() -> None:
    variables = {"HF_TOKEN": "hush", "A": "1", "WANDB_API_KEY": "hush", "TOKENIZERS_PARALLELISM": "false"}
    assert public(variables) == (("A", "1"), ("TOKENIZERS_PARALLELISM", "false"))
    assert secret(variables) == (("HF_TOKEN", "hush"), ("WANDB_API_KEY", "hush"))


def test_versions_that_a_unit_depends_on() -> None:
    one = inventory()
    assert versions(facts(one.head, versions={"ray": "1", "other": "2"})) == (
        ("python", "3.12.3"), ("ray", "1"), ("vllm", ""), ("torch", ""),
    )  # fmt: skip


def test_files_of_ours_lie_in_the_state_directory() -> None:
    assert authentication("/s") == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/s/ray.token"}
    assert nccl_logs("/s") == "/s/nccl.%h.%p.log"
