"""The main job: up runs what was planned and announces what it proved, up again does nothing, down cleans."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.test_plan import planned
from tests.timing import LIMIT

pytestmark = pytest.mark.scenario

#: What runs on every `up`, whatever is there already.
ALWAYS = [
    "Check the hosts",
    "Take the lease",
    "Learn the transport",
    "Wait until the engine is ready",
    "Prove it with a token",
]


@pytest.fixture
def pair(pair: Hosts, pair_of_hosts: Hosts) -> Hosts:
    """The hosts as an operator has them: the model is tried on every host."""
    return pair_of_hosts


def completion(announced: dict[str, Any], path: str = "/v1/completions") -> int:
    """Tokens that the announced endpoint gives to anybody who asks."""
    body = json.dumps({"model": announced["served_name"], "prompt": "1", "max_tokens": 3, "ignore_eos": True})
    request = urllib.request.Request(announced["url"] + path, body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:
        return int(json.load(answer)["usage"]["completion_tokens"])


def record(pair: Hosts, host: str, unit: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pair.run(host, "sh", "-c", f"cat /var/tmp/o-*/*/{unit}/record.json"))
    return found


def test_up_up_again_a_changed_argument_and_down(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    plan = planned(operator, pair.inventory, "--hosts")
    announced = operator.up(pair.inventory)
    what_is_announced(pair, announced)
    raylets = {host: pair.pids(host, "raylet/raylet") for host in HOSTS}
    assert [len(pids) for pids in raylets.values()] == [1, 1]
    engine = pair.pids("node0", "vllm serve")
    assert engine
    assert not pair.pids("node1", "vllm serve")
    what_was_planned_runs(pair, operator, plan)
    up_again_does_nothing(pair, operator)
    assert pair.pids("node0", "vllm serve") == engine

    with_a_secret(pair, operator, tmp_path)
    assert {host: pair.pids(host, "raylet/raylet") for host in HOSTS} == raylets
    assert not set(pair.pids("node0", "vllm serve")) & set(engine)
    assert pair.pids("node0", "--seed=7")

    operator.down()
    pair.assert_clean(*HOSTS)
    operator.down(pair.inventory)


def what_is_announced(pair: Hosts, announced: dict[str, Any]) -> None:
    assert completion(announced) == 3
    assert (announced["tensor_parallel"], announced["gpus"], announced["hosts"]) == (4, 4, list(HOSTS))
    assert announced["transport"]["kind"] == "NET/Socket"
    assert [pair.gpus_in_use(host) for host in HOSTS] == [2, 2]


def what_was_planned_runs(pair: Hosts, operator: Operator, found: dict[str, Any]) -> None:
    for host in found["plan"]["hosts"]:
        folders = [record(pair, host["name"], unit["name"]) for unit in host["units"]]
        assert [one["argv"] for one in folders] == [unit["command"] for unit in host["units"]]
        assert [sorted(one["env"].items()) for one in folders] == [
            sorted(map(tuple, unit["environment"])) for unit in host["units"]
        ]
    again = planned(operator, pair.inventory, "--hosts")
    assert {one["title"] for one in again["phases"] if one["skipped"]} == {
        "Clean removed hosts",
        "Stop what is outdated",
        "Start Ray on the head",
        "Start Ray on the workers",
        "Prove the GPUs through Ray",
        "Launch vLLM",
    }


def up_again_does_nothing(pair: Hosts, operator: Operator) -> None:
    again = operator.run("up", pair.inventory, "--output", "json")
    assert again.returncode == 0, again.stderr
    assert [event["title"] for event in operator.events(again, "phase_done")] == ALWAYS

    shown = operator.run("status", "--output", "json")
    status = json.loads(shown.stdout)
    assert [host["gpus_used"] for host in status["hosts"]] == [2, 2]
    assert status["endpoint"]["tokens"] is True


def with_a_secret(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    """Another vLLM on the same Ray. Records hold no secret, and nobody else can read them."""
    key = "sk-0123456789-do-not-show"
    (tmp_path / "key").write_text(key)

    def change(one: dict[str, Any]) -> None:
        one["serve"]["arguments"].append("--seed=7")
        one["serve"]["api_key"] = {"file": str(tmp_path / "key")}

    done = operator.run("up", pair.edited(tmp_path / "changed.yaml", change), "--output", "json")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr + "".join(path.read_text() for path in operator.state.rglob("*.jsonl"))
    assert key not in said
    for host in HOSTS:
        assert key not in pair.run(host, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        holding = ("-type", "f", "-exec", "grep", "-l", key, "{}", "+")
        assert pair.run(host, "find", "/var/tmp", "/tmp", "-xdev", *holding, check=False) == ""
        # What lies below belongs to Ray, which opens its own folder to all: nobody gets that far.
        assert pair.run(host, "find", "/var/tmp/o-0", "-maxdepth", "1", "-printf", "%m ") == "700 700 700 "
        assert pair.run(host, "find", "/var/tmp/o-0", "-name", "ray.token", "-printf", "%m") == "600"
    for path in ("/v1/completions", "/invocations"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            completion(json.loads(done.stdout), path)
