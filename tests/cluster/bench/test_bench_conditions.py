"""What runs were measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.bench.conditions import clocks, clocks_of, conditions, with_clocks
from cluster.errors import Unreachable
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from tests.cluster import builders
from tests.cluster.recorded import recorded
from tests.cluster.remote.local import VENV, here
from tests.doubles import ScriptedTransport

IB = "gpu-a:71:90 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA"


def test_hosts_engine_and_transport() -> None:
    inventory = builders.inventory(each={"gpu_ids": (0, 1)}, gpus=2)
    found = conditions(inventory, builders.seen(inventory), "KV cache size: 1,843,216 tokens\n", (IB,))
    assert (found.layout, found.transport, found.kv_cache_tokens) == ("TP4 × PP1", "NET/IB/GDRDMA", 1843216)
    assert [(host.name, len(host.gpus), host.driver) for host in found.hosts] == [
        ("gpu-a", 2, "580.95.05"),
        ("gpu-b", 2, "580.95.05"),
    ]
    assert found.hosts[0].versions["vllm"] == "0.32.0"
    assert found.engine[:3] == ("/opt/vllm/bin/vllm", "serve", inventory.model.id)
    assert not found.on_cpus


def test_one_host_and_cpus() -> None:
    inventory = builders.inventory(1)
    alone = conditions(inventory, builders.seen(inventory), "", ())
    assert (alone.transport, alone.kv_cache_tokens) == ("", None)
    two = builders.inventory()
    assert conditions(two, builders.seen(two), recorded("vllm/ready-tp2-ray.log"), ()).on_cpus


def test_clocks_go_to_their_gpus() -> None:
    inventory = builders.inventory()
    seen = builders.seen(inventory)
    known = conditions(inventory, seen, "", ())
    found = with_clocks(known, inventory, seen, {"GPU-gpu-b-1": (1200, 1980)})
    assert [gpu.sm_clock for gpu in found.hosts[1].gpus][:3] == [None, 1200, None]
    assert found.hosts[1].gpus[1].max_sm_clock == 1980
    assert [gpu.sm_clock for gpu in found.hosts[0].gpus] == [None] * 8


def test_clocks_of_the_hosts_that_answer() -> None:

    fleet = Fleet(
        [
            Host("gpu-a", ScriptedTransport({"clocks": '{"clocks": {"GPU-a": [1755, 1980]}}'})),
            Host("gpu-b", ScriptedTransport({"clocks": Unreachable("gpu-b", "connect")})),
        ]
    )
    assert clocks_of(fleet, "/opt/vllm") == {"GPU-a": (1755, 1980)}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'GPU-1, 1755, 1980'; echo 'GPU-2, [N/A], 1980'", {"GPU-1": (1755, 1980)}),
        ("echo 'Field is not valid'; exit 2", {}),
        (None, {}),
    ],
)
def test_what_nvidia_smi_says_of_them(
    tmp_path: Path, script: str | None, expected: dict[str, tuple[int, int]]
) -> None:
    if script:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert here({"PATH": f"{tmp_path}:/usr/bin:/bin"}).ask(clocks(VENV)) == expected
