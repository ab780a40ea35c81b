"""The real thing on CPUs: real sshd, real Ray, real vLLM with the architecture of ERNIE-4.5-VL."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.timing import LIMIT


@pytest.fixture
def real(request: pytest.FixtureRequest) -> Iterator[Hosts]:
    hosts = Hosts.up(f"real{os.getpid()}", 2, request.param, "vllm")
    yield hosts
    hosts.down()


KEY = "sk-of-a-test"
#: What generates, what controls, and what tells of the engine: vLLM asks for its key at the first of them alone.
ROUTES = (
    "/v1/completions",
    "/invocations",
    "/tokenize",
    "/scale_elastic_ep",
    "/abort_requests",
    "/version",
    "/nowhere",
)
OPEN = ("/health", "/ping", "/metrics")


def without_key(url: str, path: str, body: bytes | None = b"{}") -> int:
    """The status of the answer to a POST, or of a GET where there is no body."""
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def ray_status(hosts: Hosts) -> str:
    """What Ray's own tool says on the head, with the cluster's token."""
    token = hosts.run("node0", "find", "/var/tmp", "-name", "ray.token").strip()
    script = 'RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$1" RAY_ADDRESS="$2:6379" "$3/bin/ray" status'
    said = hosts.run("node0", "sh", "-c", script, "sh", token, hosts.cluster_address("node0"), sys.prefix)
    print(said)
    return said


def a_benchmark(operator: Operator, tmp_path: Path) -> None:
    """Fresh seeds are cold, a repeated one is not.

    The tiny model knows few tokens: with this seed no two prompts have the same first 128, a block of the prefix
    cache on CPUs.
    """
    asked = ("--workload", "160/8", "--cold", "seed", "--seed", "2", "--output", "json", "--num-prompts")
    fresh = operator.run("bench", *asked, "1,4", "--results", tmp_path / "fresh", KEY=KEY)
    assert fresh.returncode == 0, fresh.stderr[-3000:]
    runs = json.loads(fresh.stdout)["runs"]
    assert [(run["num_prompts"], run["figures"]["completed"], run["counts"]["hits"]) for run in runs] == [
        (1, 1, 0),
        (4, 4, 0),
    ]
    assert all(run["figures"]["output_per_second"] > 1 for run in runs)
    assert all(run["figures"]["ttft"]["median"] > 1 for run in runs)
    assert runs[1]["counts"]["generated_tokens"] == runs[1]["figures"]["output_tokens"] == 32
    assert [
        sample["at"] for sample in json.loads((tmp_path / "fresh/160x8-0004-1/run.json").read_text())["samples"]
    ]

    repeated = operator.run("bench", *asked, "4", "--results", tmp_path / "repeated", KEY=KEY)
    assert repeated.returncode == 5
    (run,) = json.loads(repeated.stdout)["runs"]
    assert (run["verdict"]["outcome"], run["counts"]["hits"]) == ("invalid", 4 * 128)

    made = operator.run("bench", "report", tmp_path / "fresh")
    assert made.returncode == 0, made.stderr
    page = Path(made.stdout.strip()).read_text()
    assert "2 of 2 runs count" in page
    assert f"{runs[1]['figures']['output_per_second']:,.2f}" in page


@pytest.mark.scenario
@pytest.mark.real_vllm
@pytest.mark.parametrize("real", [1], indirect=True)
def test_two_hosts_serve_one_model(real: Hosts, operator: Operator, tmp_path: Path) -> None:
    """With a key, whose guard is loaded by vLLM itself: `up` has proved that it refuses."""
    inventory = real.edited(
        tmp_path / "keyed.yaml", lambda one: one["serve"].update(api_key={"environment": "KEY"})
    )
    planned = json.loads(operator.run("plan", inventory, "--hosts", "--output", "json", KEY=KEY).stdout)
    announced = operator.up(inventory, KEY=KEY)
    # As vLLM says it; its options are known, and that CPUs have no CUDA graphs is not the plan's to know.
    assert planned["kv_cache_tokens"] == pytest.approx(announced["kv_cache_tokens"], rel=0.1)
    assert [one["name"] for one in planned["plan"]["findings"]] == ["enforce-eager"]
    assert announced["transport"]["kind"] == "gloo"
    assert {path: without_key(announced["url"], path) for path in ROUTES} == dict.fromkeys(ROUTES, 401)
    assert {path: without_key(announced["url"], path, None) for path in OPEN} == dict.fromkeys(OPEN, 200)
    assert [real.gpus_in_use(host) for host in ("node0", "node1")] == [1, 1]
    a_benchmark(operator, tmp_path)
    assert operator.run("down", KEY=KEY).returncode == 0
    real.assert_clean("node0", "node1")


@pytest.mark.tp16
@pytest.mark.timeout(900)
@pytest.mark.parametrize("real", [8], indirect=True)
def test_sixteen_ranks_over_two_hosts(real: Hosts, operator: Operator) -> None:
    done = operator.run("up", real.inventory, "--output", "plain")
    print(done.stderr, done.stdout)
    assert done.returncode == 0
    assert [real.gpus_in_use(host) for host in ("node0", "node1")] == [8, 8]
    assert "16.0/16.0 GPU" in ray_status(real)
    operator.down()
    real.assert_clean("node0", "node1")
