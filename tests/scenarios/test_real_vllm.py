"""The real thing on CPUs: real sshd, real Ray, real vLLM with the architecture of ERNIE-4.5-VL."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.test_main_job import completion


@pytest.fixture
def real(request: pytest.FixtureRequest) -> Iterator[Hosts]:
    hosts = Hosts.up("real", 2, request.param, "vllm")
    yield hosts
    hosts.down()


def ray_status(hosts: Hosts) -> str:
    """What Ray's own tool says on the head, with the cluster's token."""
    token = hosts.run("node0", "find", "/var/tmp", "-name", "ray.token").strip()
    script = 'RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$1" RAY_ADDRESS="$2:6379" "$3/bin/ray" status'
    said = hosts.run("node0", "sh", "-c", script, "sh", token, hosts.cluster_address("node0"), sys.prefix)
    print(said)
    return said


@pytest.mark.scenario
@pytest.mark.real_vllm
@pytest.mark.parametrize("real", [1], indirect=True)
def test_two_hosts_serve_one_model(real: Hosts, operator: Operator) -> None:
    announced = operator.up(real.inventory)
    assert announced["kv_cache_tokens"] > 0
    assert announced["transport"]["kind"] == "gloo"
    assert completion(announced) == 3
    assert [real.gpus_in_use(host) for host in ("node0", "node1")] == [1, 1]
    operator.down()
    real.assert_clean("node0", "node1")


@pytest.mark.tp16
@pytest.mark.timeout(900)
@pytest.mark.parametrize("real", [8], indirect=True)
def test_sixteen_ranks_over_two_hosts(real: Hosts, operator: Operator) -> None:
    done = operator.run("up", real.inventory, "--output", "plain", timeout=800)
    print(done.stderr, done.stdout)
    assert done.returncode == 0
    assert [real.gpus_in_use(host) for host in ("node0", "node1")] == [8, 8]
    assert "16.0/16.0 GPU" in ray_status(real)
    operator.down()
    real.assert_clean("node0", "node1")
